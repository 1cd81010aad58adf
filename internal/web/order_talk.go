package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/feed"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// A TalkLine is a message, or a line of the record between messages.
type TalkLine struct {
	At       time.Time
	Record   bool // a line of the record: Icon and Text
	Icon     string
	Class    string
	Text     string
	Ours     bool
	Who      string
	Initials string
	Avatar   string
	About    string // what a question is about
}

// talk is the conversation with what happened between its messages, in order.
func (t orderTeller) talk() []TalkLine {
	out := t.milestones()
	for _, m := range t.v.Messages {
		out = append(out, t.said(m.Party, m.Person, m.At, m.Text, ""))
	}
	out = append(out, t.pauseLines()...)
	slices.SortStableFunc(out, func(a, b TalkLine) int { return a.At.Compare(b.At) })
	return out
}

// milestones are the lines of the record that a reader of the conversation
// needs.
func (t orderTeller) milestones() []TalkLine {
	v, p := t.v, t.P
	var out []TalkLine
	add := func(at time.Time, icon, class, key string, kv ...any) {
		if !at.IsZero() {
			kv = append(kv, "At", p.When(at, t.Now, t.Zone))
			out = append(out, TalkLine{At: at, Record: true, Icon: icon, Class: class, Text: p.T("order.talk."+key, kv...)})
		}
	}
	add(v.IssuedAt, "", "", "issued", "Issuer", v.IssuerName)
	add(v.SentAt, "send", "", "sent", "Platform", v.AddresseeName)
	add(v.Unreceived, "mail-x", "font-semibold text-red-fg", "unreceived")
	add(v.DeemedAt, "scale", "font-semibold", "deemed")
	key := "received"
	if v.DeadlineMinutes > 0 && v.DeemedAt.IsZero() {
		key = "received.clock"
	}
	add(v.ReceivedAt, "", "", key, "Platform", v.AddresseeName)
	add(v.OverdueAt, "alarm-clock", "font-semibold text-red-fg", "overdue")
	add(v.ClosedAt, "archive", "", "closed")
	add(v.WithdrawnAt, "undo-2", "font-semibold", "withdrawn")
	return out
}

// said is one message, from our side or theirs.
func (t orderTeller) said(from party.ID, person party.PersonID, at time.Time, text, about string) TalkLine {
	theirs := from == t.v.Addressee
	l := TalkLine{At: at, Text: text, About: about, Ours: theirs != t.inside()}
	name := t.v.Names[person]
	org := t.partyName(from)
	switch {
	case person != "" && person == t.by.Person:
		l.Who, l.Initials = t.P.T("order.you"), initials(name)
	case person == "" || name == "":
		l.Who, l.Initials = org, initials(org)
	case from == t.by.Party:
		l.Who, l.Initials = name, initials(name)
	default:
		l.Who, l.Initials = org+", "+name, initials(org)
	}
	switch {
	case theirs:
		l.Avatar = "av-p"
	case from == t.v.Issuer && t.v.Issuer != t.v.Proposer:
		l.Avatar = "av-k"
	}
	return l
}

// partyOf is the organisation for which a person acted on this notice.
func (t orderTeller) partyOf(person party.PersonID) party.ID {
	for _, e := range t.v.Timeline {
		if e.Person == string(person) && person != "" {
			return party.ID(e.Party)
		}
	}
	return t.v.Issuer
}

// partyName is the name of an organisation of this notice.
func (t orderTeller) partyName(id party.ID) string {
	switch id {
	case t.v.Addressee:
		return t.v.AddresseeName
	case t.v.Issuer:
		return t.v.IssuerName
	case t.v.Proposer:
		return t.v.ProposerName
	}
	return ""
}

// pauseLines tell each stop of the clock where it happened: the question, its
// answer, and how long the clock stood. Items that stopped together are told
// together.
func (t orderTeller) pauseLines() []TalkLine {
	type stop struct {
		notice.Pause
		items []string
	}
	var all []stop
	for _, it := range t.v.Items {
		for _, ps := range it.Pauses {
			i := slices.IndexFunc(all, func(s stop) bool {
				return s.From.Equal(ps.From) && s.Text == ps.Text && s.Kind == ps.Kind && s.Ended.Equal(ps.Ended)
			})
			if i < 0 {
				i, all = len(all), append(all, stop{Pause: ps})
			}
			all[i].items = append(all[i].items, strconv.Itoa(it.N))
		}
	}
	p := t.P
	var out []TalkLine
	for _, s := range all {
		about := p.T("order.talk.about", "Kind", p.T("order.answer."+string(s.Kind)), "Items", strings.Join(s.items, ", "))
		out = append(out, t.said(t.v.Addressee, s.Person, s.From, s.Text, about))
		line := TalkLine{At: s.From, Record: true, Icon: "pause", Class: "font-semibold text-amber-fg", Text: p.T("order.talk.stood.open", "Items", strings.Join(s.items, ", "), "From", p.When(s.From, t.Now, t.Zone))}
		if !s.Ended.IsZero() {
			line.Class = ""
			line.Text = p.T("order.talk.stood", "Items", strings.Join(s.items, ", "), "From", p.Clock(s.From, t.Zone), "To", p.When(s.Ended, t.Now, t.Zone))
		}
		out = append(out, line)
		if s.Resolution != "" {
			at := s.Ended
			if !s.RefusedAt.IsZero() {
				at = s.RefusedAt
			}
			out = append(out, t.said(t.partyOf(s.ResolvedBy), s.ResolvedBy, at, s.Resolution, ""))
		}
	}
	return out
}

// lineLooks are icon and colour of a timeline's entries, by their kind.
var lineLooks = map[string]struct {
	icon string
	tone components.Tone
}{
	"notice.drafted": {"file-pen-line", components.TonePlain}, "notice.redrafted": {"file-pen-line", components.TonePlain},
	"notice.proposed": {"user-check", components.TonePlain}, "notice.approved": {"stamp", components.ToneTeal},
	"notice.returned": {"undo-2", components.ToneAmber}, "notice.issued": {"send", components.ToneBlue}, "notice.sent": {"mail-check", components.ToneBlue},
	"notice.refused-dispatch": {"octagon-x", components.ToneRed}, "notice.received": {"mail-open", components.ToneSolid},
	"notice.answered": {"circle-check-big", components.ToneGreen}, "notice.paused": {"pause", components.ToneAmber},
	"notice.resumed": {"play", components.TonePlain}, "notice.pause-refused": {"octagon-x", components.ToneOrange},
	"notice.pause-consented": {"circle-pause", components.ToneAmber}, "notice.verified": {"check-check", components.ToneGreen},
	"notice.reopened": {"rotate-ccw", components.ToneOrange}, "notice.message": {"message-square", components.TonePlain},
	"notice.reminded": {"bell-ring", components.TonePlain}, "notice.overdue": {"alarm-clock", components.ToneRed},
	"notice.unreceived": {"mail-x", components.ToneRed}, "notice.route": {"waypoints", components.TonePlain},
	"notice.served": {"printer", components.TonePlain}, "notice.deemed-proposed": {"scale", components.ToneAmber},
	"notice.deemed": {"scale", components.ToneBlue}, "notice.withdrawn": {"undo-2", components.TonePlain},
	"notice.quashed": {"gavel", components.ToneViolet}, "notice.closed": {"archive", components.TonePlain},
	"notice.called": {"bell-ring", components.ToneAmber}, "mail.taken": {"mail-check", components.TonePlain}, "mail.returned": {"mail-x", components.ToneRed}, "mail.given-up": {"mail-x", components.ToneRed},
	"notice.printed": {"printer", components.TonePlain}, "notice.file-opened": {"eye", components.TonePlain},
}

// timeline is the record of the notice, the newest first.
func (t orderTeller) timeline() []components.Event {
	var out []components.Event
	for _, e := range slices.Backward(t.v.Timeline) {
		look, ok := lineLooks[e.Kind]
		if !ok {
			look.icon = "circle-dashed"
		}
		out = append(out, components.Event{Icon: look.icon, Tone: look.tone, Who: t.actor(e), Text: t.did(e), At: e.At})
	}
	return out
}

// actor is who did it: a person for those who may know, else the organisation;
// what time alone did has nobody.
func (t orderTeller) actor(e feed.Entry) string {
	if name := t.v.Names[party.PersonID(e.Person)]; name != "" && e.Person != "" {
		return name
	}
	return t.partyName(party.ID(e.Party))
}

func (t orderTeller) did(e feed.Entry) string {
	kind := strings.TrimPrefix(e.Kind, "notice.")
	if t.actor(e) == "" {
		return t.P.T("notice.event." + kind)
	}
	if key := "order.did." + kind; t.P.Has(key) {
		return t.P.T(key)
	}
	return strings.ToLower(t.P.T("notice.event." + kind))
}

// dueRoute marks a route that is due by the receipt clock, in the proof of
// delivery.
const dueRoute = "route-"

// proof is the proof of delivery, the oldest first, as a court would read it.
func (t orderTeller) proof() []components.Event {
	var out []components.Event
	for _, d := range t.v.Deliveries {
		look := "send"
		switch d.Step {
		case "received", "deemed":
			look = "mail-open"
		case "failed":
			look = "mail-x"
		case "served":
			look = "printer"
		case "read":
			look = "eye"
		}
		e := components.Event{
			Icon: look, Who: t.P.T("notice.channel." + strings.TrimPrefix(d.Channel, dueRoute)), Text: t.P.T("order.proof." + d.Step), At: d.At, Quote: d.Text,
		}
		switch {
		case d.Result == "" || d.Result == "ok":
		case t.P.Has("order.result." + d.Result):
			e.Note = t.P.T("order.result." + d.Result)
		default:
			e.Note = d.Result // an HTTP status, or the far side's word
		}
		out = append(out, e)
	}
	return out
}
