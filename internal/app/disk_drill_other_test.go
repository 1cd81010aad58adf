//go:build !linux

package app_test

import "errors"

// smallDisk needs mount namespaces.
func (order) smallDisk() error { return errors.ErrUnsupported }
