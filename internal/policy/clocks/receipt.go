// Package clocks holds the two clocks of a notice as pure functions of a pack
// and of times: the receipt clock, which runs while nobody confirms receipt, and
// the answer clock, which runs from receipt until an item is answered. Nothing
// here reads a clock or moves a notice; lateness is for a person to act on.
package clocks

import (
	"time"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/policy"
)

// A ReceiptState says whether a notice still waits for its receipt in good time.
type ReceiptState string

// The receipt states. There is no state "deemed": that is an act of two people,
// never of time alone.
const (
	Waiting    ReceiptState = "waiting"
	Unreceived ReceiptState = "unreceived"
)

// A Stage is the route by which the platform is to be reached now.
type Stage string

// The stages in order. Each adds a route and takes none away.
const (
	FirstChannel        Stage = "first-channel"
	NextChannel         Stage = "next-channel"
	NextContact         Stage = "next-contact"
	LegalRepresentative Stage = "legal-representative"
)

// ReceiptClock is what the receipt clock shows at one moment.
type ReceiptClock struct {
	State        ReceiptState
	UnreceivedAt time.Time // when waiting ends, or ended
	Stage        Stage     // what is due now
	Next         Stage     // what follows, "" after the last
	NextAt       time.Time // when it is due, zero after the last

	// DeemedFrom is the first moment at which service may be deemed, by the
	// pack's persons and with evidence of the pack's methods; zero where the
	// jurisdiction has no such rule. NoDeemed then says so.
	DeemedFrom time.Time
	NoDeemed   *policy.Text
}

// Receipt returns the receipt clock at now of a notice first sent at sentAt and
// not received since. Sending again does not start it anew.
func Receipt(sentAt, now time.Time, p policy.Pack) ReceiptClock {
	r := p.Receipt
	unreceived := sentAt.Add(r.UnreceivedAfter.Duration())
	c := ReceiptClock{State: Waiting, UnreceivedAt: unreceived, Stage: FirstChannel}
	stages := []struct {
		stage Stage
		at    time.Time
	}{
		{NextChannel, unreceived.Add(r.NextChannelAfter.Duration())},
		{NextContact, unreceived.Add(r.NextContactAfter.Duration())},
		{LegalRepresentative, unreceived.Add(r.LegalRepresentativeAfter.Duration())},
	}
	if !now.Before(unreceived) {
		c.State = Unreceived
	}
	for _, s := range stages {
		if now.Before(s.at) {
			c.Next, c.NextAt = s.stage, s.at
			break
		}
		c.Stage = s.stage
	}
	if r.Deemed.Allowed {
		c.DeemedFrom = deemedFrom(sentAt, p)
	} else {
		text := r.Deemed.Rule.Text
		c.NoDeemed = &text
	}
	return c
}

// deemedFrom returns the first moment for deemed service: after the pack's full
// working days, and never before the legal representative's turn has come.
func deemedFrom(sentAt time.Time, p policy.Pack) time.Time {
	days := p.Calendar.AfterWorkingDays(sentAt, p.Receipt.Deemed.WorkingDays.Int())
	last := sentAt.Add(p.Receipt.UnreceivedAfter.Duration() + p.Receipt.LegalRepresentativeAfter.Duration())
	if last.After(days) {
		return last
	}
	return days
}

// A Service is what is put forward for deemed service.
type Service struct {
	SentAt  time.Time
	Methods []string // one name for each method with evidence; repeats count once
	Persons []string // who records it; repeats count once
}

// MayDeem reports whether service may be deemed at now. Its faults are Denied:
// the jurisdiction has no such rule, it is too early, too few methods or too few
// persons.
func MayDeem(s Service, now time.Time, p policy.Pack) error {
	rule := p.Receipt.Deemed
	if !rule.Allowed {
		return fault.New(fault.Denied, "policy.deemed.refused")
	}
	if from := deemedFrom(s.SentAt, p); now.Before(from) {
		return fault.New(fault.Denied, "policy.deemed.early", "From", from.UTC().Format(time.RFC3339))
	}
	if got, want := distinct(s.Methods), rule.Methods.Int(); got < want {
		return fault.New(fault.Denied, "policy.deemed.methods", "Got", got, "Want", want)
	}
	if got, want := distinct(s.Persons), rule.Persons.Int(); got < want {
		return fault.New(fault.Denied, "policy.deemed.persons", "Got", got, "Want", want)
	}
	return nil
}

func distinct(names []string) int {
	seen := map[string]bool{}
	for _, n := range names {
		seen[n] = n != ""
	}
	delete(seen, "")
	return len(seen)
}
