// Package view holds what pages and the API read across several rooms at once:
// the public figures. It reads and never writes, and returns nothing that the
// public may not see (ui principles 12): no link, no name of a person, nothing
// that was reported.
package view

import (
	"context"
	"time"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/notes"
)

const (
	// Days is how far back the figures look.
	Days = 30
	// WeekCount is how many weeks of orders there are, this one included.
	WeekCount = 12
	// Few is the number of answered orders below which no median and no share
	// is given: they would speak of single decisions (ui principles 13).
	Few = 10
	// LatestCount bounds the latest decisions.
	LatestCount = 6
)

// Figures are the public figures at one moment.
type Figures struct {
	At   time.Time `json:"at"`   // when they were counted, UTC
	From time.Time `json:"from"` // of the days counted, up to At

	Reports   Reports        `json:"reports"`
	Orders    Orders         `json:"orders"`
	Referrals Referrals      `json:"referrals"`
	Grounds   map[string]int `json:"grounds"`   // orders naming each ground
	Refusals  map[string]int `json:"refusals"`  // refused items of orders by their basis
	Platforms []Platform     `json:"platforms"` // the most orders first
	Weeks     []Week         `json:"weeks"`     // the oldest first
	Latest    []Decision     `json:"latest"`    // the newest first, of any age
}

// Reports are the reports received, each counted once by the gravest thing
// that became of it.
type Reports struct {
	Total    int `json:"total"`
	Closed   int `json:"closed"`   // judged, and nobody was asked for anything
	Open     int `json:"open"`     // still being judged
	Referred int `json:"referred"` // a platform was asked to look by its own rules
	Ordered  int `json:"ordered"`  // a platform was ordered
}

// Orders are the removal orders sent, each in one of Acted, Refused, Open and
// Undone.
type Orders struct {
	Total   int `json:"total"`
	Items   int `json:"items"`   // locations in them
	Acted   int `json:"acted"`   // every item answered, none refused
	Refused int `json:"refused"` // an item refused, or taken to a court
	Open    int `json:"open"`    // an item still without an answer
	Undone  int `json:"undone"`  // withdrawn or quashed
	Service
}

// Referrals are the referrals sent; they have no deadline.
type Referrals struct {
	Total    int `json:"total"`
	Items    int `json:"items"`
	Acted    int `json:"acted"`
	Declined int `json:"declined"`
	Open     int `json:"open"`
	Undone   int `json:"undone"`
}

// Service is how quickly orders were received and answered.
type Service struct {
	OnTime int `json:"on_time"` // whole, within the deadline
	Late   int `json:"late"`    // answered after it, or overdue now

	// The medians are in whole minutes, nil when Few was not reached.
	ToReceipt *int `json:"minutes_to_receipt"` // from sending to receipt
	ToAnswer  *int `json:"minutes_to_answer"`  // from receipt to the last item's first answer

	// OnTimePercent is OnTime of OnTime and Late, nil under Few of them.
	OnTimePercent *int `json:"on_time_percent"`
}

// Platform is how one platform answers.
type Platform struct {
	Name    string `json:"name"`
	Total   int    `json:"orders"`
	Refused int    `json:"refused"`
	Service
}

// Week is the orders sent in seven days.
type Week struct {
	From    time.Time `json:"from"` // its first moment; the last week ends At
	Acted   int       `json:"acted"`
	Refused int       `json:"refused"`
	Open    int       `json:"open"`
	Undone  int       `json:"undone"`
}

// Decision is one notice as the public sees it.
type Decision struct {
	Ref      string           `json:"ref"`
	Kind     notes.NoticeKind `json:"kind"`
	Platform string           `json:"platform"` // name
	State    State            `json:"state"`
	Answer   string           `json:"answer,omitempty"`    // of all items, if they agree
	Minutes  *int             `json:"to_answer,omitempty"` // from receipt to the answer
	Items    int              `json:"items"`
	At       time.Time        `json:"at"` // of the newest step, to the minute
}

// State is how far a decision has come, as the public sees it.
type State string

// The states.
const (
	Sent      State = "sent"
	Received  State = "received"
	Overdue   State = "overdue"
	Acted     State = "acted"
	Refused   State = "refused"
	Withdrawn State = "withdrawn"
	Quashed   State = "quashed"
)

// Public counts the figures at now. It costs five queries over the last twelve
// weeks; pages use a Cache.
func Public(ctx context.Context, r db.Reader, now time.Time) (Figures, error) {
	now = now.UTC()
	f := Figures{At: now, From: now.AddDate(0, 0, -Days), Grounds: map[string]int{}, Refusals: map[string]int{}}
	var err error
	if f.Reports, err = countReports(ctx, r, f.From, now); err != nil {
		return f, err
	}
	all, err := sentSince(ctx, r, now.AddDate(0, 0, -7*WeekCount))
	if err != nil {
		return f, err
	}
	var recent []sent
	for _, n := range all {
		if !n.SentAt.Before(f.From) {
			recent = append(recent, n)
		}
	}
	f.count(recent)
	f.Weeks = weeksOf(all, now)
	if f.Refusals, err = refusals(ctx, r, f.From); err != nil {
		return f, err
	}
	f.Latest, err = latest(ctx, r)
	return f, err
}

// None reports whether there is nothing to show yet.
func (f Figures) None() bool { return f.Reports.Total == 0 && len(f.Latest) == 0 }
