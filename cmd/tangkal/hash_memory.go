package main

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// What all workers together may hold at a time: of files, and of the pixels made
// of them. Most pictures take a few megabytes; those that take hundreds wait for
// each other.
const (
	filesBudget  = 512 << 20
	pixelsBudget = 1 << 30
)

// keptBudget is what a worker may keep from one picture to the next.
const keptBudget = 32 << 20

// A budget is the memory that workers share. Who holds some of a budget asks for
// none that comes before, so that nobody waits for himself.
type budget struct{ files, pixels *semaphore.Weighted }

func newBudget() *budget {
	return &budget{semaphore.NewWeighted(filesBudget), semaphore.NewWeighted(pixelsBudget)}
}

// take waits for n bytes, of which there must be so many in all, and returns how
// they are given back.
func take(ctx context.Context, s *semaphore.Weighted, n int64) (release func(), err error) {
	if err := s.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { s.Release(n) }, nil
}
