package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a pack's time zone must be known on any machine

	"github.com/tangkal/tangkal/internal/fault"
)

// maxFaults bounds what one file can say about itself.
const maxFaults = 200

// maxWithholdDays is the longest that a user may be kept unaware, prolongations
// included; no pack can widen it.
const maxWithholdDays = 84

// A checker gathers the faults of one file.
type checker struct {
	file   string
	tree   tree
	faults []found
}

// found is a fault and the line it stands on.
type found struct {
	line int
	err  *fault.Error
}

// add records a fault at a pointer.
func (c *checker) add(pointer, code string, kv ...any) {
	c.addLine(c.tree.line(pointer), pointer, fault.New(fault.Invalid, code, kv...))
}

func (c *checker) addLine(line int, pointer string, e *fault.Error) {
	c.faults = append(c.faults, found{line, e.At(pointer)})
}

// report hands the faults on, in the order of the file; past maxFaults the rest
// will show once these are mended.
func (c *checker) report(all *fault.Checker) {
	slices.SortStableFunc(c.faults, func(a, b found) int {
		return cmp.Or(a.line-b.line, strings.Compare(a.err.Field, b.err.Field))
	})
	for _, f := range c.faults[:min(len(c.faults), maxFaults)] {
		kv := []any{"File", c.file, "Line", f.line}
		for k, v := range f.err.Args {
			kv = append(kv, k, v)
		}
		all.Add(f.err.Field, f.err.Code, kv...)
	}
}

// check adds a fault for each rule between the parts of p that no schema can
// say.
func (c *checker) check(p *Pack) {
	if want := fileName(p); c.file != want {
		c.add("/version", "policy.file-name", "Want", want)
	}
	c.checkCalendar(p)
	c.checkSources(p)
	c.checkKinds(p)
	for _, kind := range NoticeKinds() {
		if chain, ok := p.Chains[kind]; ok {
			c.checkChain("/chains/"+string(kind), chain)
		}
	}
	c.checkDeadlines(p)
	c.checkReceipt(p)
	c.checkLadder(p)
	c.checkLists(p)
	c.checkRest(p)
}

func (c *checker) checkCalendar(p *Pack) {
	loc, err := time.LoadLocation(p.TimeZone)
	if err != nil || p.TimeZone == "Local" {
		c.add("/time_zone", "policy.time-zone", "Got", p.TimeZone)
		return
	}
	p.Calendar.loc = loc
	for i, h := range p.Calendar.Holidays {
		at := fmt.Sprintf("/calendar/holidays/%d/date", i)
		if _, err := time.Parse(time.DateOnly, h.Date); err != nil {
			c.add(at, "policy.time", "Got", h.Date)
		}
		if i > 0 && h.Date <= p.Calendar.Holidays[i-1].Date {
			c.add(at, "policy.holiday-order", "Got", h.Date)
		}
	}
}

// checkSources wants every source key to be known, and nothing that nobody has
// read to pass as verified.
func (c *checker) checkSources(p *Pack) {
	for _, key := range sortedKeys(p.leaves) {
		at := p.leafAt[key]
		owner, cites := strings.CutSuffix(at, "/source")
		if !cites {
			continue
		}
		s, known := p.Sources[p.leaves[key]]
		if !known {
			c.add(at, "policy.source-unknown", "Got", p.leaves[key], "Want", strings.Join(sortedKeys(p.Sources), ", "))
			continue
		}
		verified := p.leaves[strings.TrimSuffix(key, "source")+"verified"]
		if s.Kind == SourceRecollection && verified == "true" {
			c.add(owner+"/verified", "policy.recollection-verified", "Source", p.leaves[key])
		}
	}
}

// checkKinds wants a kind of notice to have a basis, and whoever may issue it.
func (c *checker) checkKinds(p *Pack) {
	for _, kind := range NoticeKinds() {
		_, basis := p.LegalBases[kind]
		_, chain := p.Chains[kind]
		_, deadline := p.Deadlines[kind]
		if chain && !basis {
			c.add("/chains/"+string(kind), "policy.kind-basis", "Kind", string(kind))
		}
		if basis && !chain && kind != RoomRequest {
			c.add("/legal_bases/"+string(kind), "policy.kind-chain", "Kind", string(kind))
		}
		if deadline && !basis {
			c.add("/deadlines/"+string(kind), "policy.kind-basis", "Kind", string(kind))
		}
		if b := p.LegalBases[kind]; basis && !slices.ContainsFunc(p.Instruments, func(i Instrument) bool { return i.Key == b.Instrument }) {
			c.add("/legal_bases/"+string(kind)+"/instrument", "policy.instrument-unknown", "Got", b.Instrument)
		}
	}
}

// checkChain wants propose, approve, perhaps review, and issue, in this order,
// by the parties that the way of issuing names.
func (c *checker) checkChain(at string, chain Chain) {
	last, seen := -1, map[Act]bool{}
	for i, s := range chain.Steps {
		place := slices.Index(Acts(), s.Act)
		if place <= last {
			c.add(fmt.Sprintf("%s/steps/%d/act", at, i), "policy.chain-order", "Act", string(s.Act))
		}
		last, seen[s.Act] = max(last, place), true
	}
	for _, act := range []Act{Propose, Approve, Issue} {
		if !seen[act] {
			c.add(at+"/steps", "policy.chain-act", "Act", string(act))
		}
	}
	c.checkIssuing(at, chain)
}

func (c *checker) checkIssuing(at string, chain Chain) {
	first := chain.Steps[0].Party
	for i, s := range chain.Steps {
		where := fmt.Sprintf("%s/steps/%d/party", at, i)
		judge := s.Party == Court || s.Party == Oversight
		switch {
		case (s.Act == Review) != judge:
			c.add(where, "policy.chain-review", "Party", string(s.Party), "Act", string(s.Act))
		case s.Act == Review:
		case chain.Issuing == SameParty && s.Party != first:
			c.add(where, "policy.chain-same-party", "Want", string(first), "Got", string(s.Party))
		case chain.Issuing == ByAuthority && s.Act == Issue && (s.Party != Authority || first == Authority):
			c.add(where, "policy.chain-authority", "Got", string(s.Party))
		}
	}
}

func (c *checker) checkDeadlines(p *Pack) {
	for _, kind := range NoticeKinds() {
		d, ok := p.Deadlines[kind]
		if !ok {
			continue
		}
		at := "/deadlines/" + string(kind)
		if d.Urgent.Value > d.Standard.Value {
			c.add(at+"/urgent", "policy.deadline-order", "Urgent", d.Urgent.Value, "Standard", d.Standard.Value)
		}
		for _, u := range Urgencies() {
			if n, _ := p.Deadline(kind, u); !p.AllowsDeadline(kind, n) {
				c.add(at+"/"+string(u), "policy.deadline-choice", "Got", n)
			}
		}
	}
}

// checkReceipt wants the next steps of the receipt clock in their order.
func (c *checker) checkReceipt(p *Pack) {
	r := p.Receipt
	if r.NextContactAfter.Value < r.NextChannelAfter.Value {
		c.add("/receipt/next_contact_after", "policy.receipt-order")
	}
	if r.LegalRepresentativeAfter.Value < r.NextContactAfter.Value {
		c.add("/receipt/legal_representative_after", "policy.receipt-order")
	}
}

func (c *checker) checkLadder(p *Pack) {
	_, canWarn := p.LegalBases[Warning]
	warnings := 0
	seen := map[RungCode]bool{}
	for i, r := range p.Ladder.Rungs {
		at := fmt.Sprintf("/ladder/rungs/%d", i)
		if seen[r.Code] {
			c.add(at+"/code", "policy.repeated", "Got", string(r.Code))
		}
		seen[r.Code] = true
		if (r.Code == Reminder) != (r.From == FromHalfTime) || (i == 0 && r.From == FromPrevious) {
			c.add(at+"/from", "policy.ladder-from", "Rung", string(r.Code), "Got", string(r.From))
		}
		if r.Code == Reminder {
			if i > 0 {
				c.add(at+"/code", "policy.ladder-order", "Rung", string(r.Code))
			}
			continue
		}
		if !canWarn {
			c.add(at+"/code", "policy.ladder-basis", "Rung", string(r.Code))
		}
		if n := warningNumber(r.Code); n > 0 {
			if n != warnings+1 {
				c.add(at+"/code", "policy.ladder-order", "Rung", string(r.Code))
			}
			warnings = n
		} else if warnings == 0 || (r.Code == BlockProposal && i < len(p.Ladder.Rungs)-1) {
			c.add(at+"/code", "policy.ladder-order", "Rung", string(r.Code))
		}
	}
}

// warningNumber returns 1, 2 or 3 for a warning, 0 for another rung.
func warningNumber(r RungCode) int {
	return slices.Index([]RungCode{Warning1, Warning2, Warning3}, r) + 1
}

// checkLists wants the names in each list to be unique.
func (c *checker) checkLists(p *Pack) {
	unique(c, "/instruments/%d/key", p.Instruments, func(i Instrument) string { return i.Key })
	unique(c, "/duties/%d/code", p.Duties, func(d Duty) string { return d.Code })
	unique(c, "/penalties/%d/code", p.Penalties, func(x Penalty) string { return x.Code })
	unique(c, "/queues/%d/code", p.Queues, func(q Queue) string { return q.Code })
	unique(c, "/pauses/kinds/%d/kind", p.Pauses.Kinds, func(k Pause) string { return string(k.Kind) })
	if i := slices.Index(p.Languages.Others, p.Languages.Binding); i >= 0 {
		c.add(fmt.Sprintf("/languages/others/%d", i), "policy.repeated", "Got", p.Languages.Binding)
	}
}

func unique[T any](c *checker, pointer string, items []T, name func(T) string) {
	seen := map[string]bool{}
	for i, item := range items {
		n := name(item)
		if seen[n] {
			c.add(fmt.Sprintf(pointer, i), "policy.repeated", "Got", n)
		}
		seen[n] = true
	}
}

func (c *checker) checkRest(p *Pack) {
	if !p.Signing.Suffices(Passkey) && !p.Signing.Suffices(BrowserKey) {
		c.add("/signing/methods", "policy.signing-person")
	}
	if days := p.Disclosure.WithholdMax.Int() * (1 + p.Disclosure.Renewals.Int()); days > maxWithholdDays {
		c.add("/disclosure/withhold_max", "policy.disclosure-cap", "Got", days, "Want", maxWithholdDays)
	}
	if p.HomeCopy.Required && p.HomeCopy.Scrutiny == nil {
		c.add("/home_copy/scrutiny", "policy.home-scrutiny")
	}
	if p.Batch.SampleMin.Value > p.Batch.Max.Value {
		c.add("/batch/sample_min", "policy.batch-sample", "Got", p.Batch.SampleMin.Value, "Want", p.Batch.Max.Value)
	}
	if p.Limits.BlockFirst.Value > p.Limits.BlockTotal.Value*24*60 {
		c.add("/limits/block_first", "policy.block-terms")
	}
	last := len(p.Queues) - 1
	if f := p.Queues[last].Filter; f.Crisis || len(f.Channels)+len(f.Tiers)+len(f.Platforms)+len(f.Languages) > 0 {
		c.add(fmt.Sprintf("/queues/%d/filter", last), "policy.queue-last")
	}
}
