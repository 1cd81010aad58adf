package mail

import "context"

// Serve sends what is due now.
func (m *Mail) Serve(ctx context.Context) error { return m.serve(ctx) }
