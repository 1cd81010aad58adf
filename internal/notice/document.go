package notice

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/policy"
	"github.com/tangkal/tangkal/notes"
)

// binding is the language that binds.
func (b *builder) binding() i18n.Lang { return i18n.Lang(b.pack.Languages.Binding) }

func (b *builder) text(t policy.Text) string { return t.In(b.binding()) }

// both spells a text of the pack in its languages.
func (b *builder) both(texts ...policy.Text) *notes.Text {
	out := notes.Text{Binding: b.pack.Languages.Binding, Texts: map[string]string{}}
	for _, lang := range append([]string{b.pack.Languages.Binding}, b.pack.Languages.Others...) {
		var lines []string
		for _, t := range texts {
			lines = append(lines, t.In(i18n.Lang(lang)))
		}
		out.Texts[lang] = strings.Join(lines, "\n")
	}
	return &out
}

// one spells what a person wrote, in the language that binds.
func (b *builder) one(s string) *notes.Text {
	return &notes.Text{Binding: b.pack.Languages.Binding, Texts: map[string]string{b.pack.Languages.Binding: s}}
}

// document fills every field of Annex I from dossier, pack and parties.
func (b *builder) document(ctx context.Context, id ID, ref string) (notes.Notice, error) {
	a := b.frozen.Document.Assessment
	n := notes.Notice{
		V: notes.Version, Instance: b.instance.Code, ID: string(id), Reference: ref, Kind: b.in.Kind,
		Issuer: partyNote(b.issuer), Proposer: partyNote(b.proposer), Jurisdiction: stateOf(b.pack.Code),
		Pack:       notes.Pack{Code: b.pack.Code, Version: b.pack.Version, Digest: b.pack.Ref.Digest},
		LegalBasis: b.legalBasis(), Addressee: b.addresseeNote(), Items: b.frozen.Document.Locations,
		Functions: append([]notes.Function{}, a.Functions...), Audience: a.Audience, Tier: a.Tier, Listed: &a.Listed,
		Necessity: &a.Necessity, Scope: &a.Scope, DeadlineMinutes: b.in.DeadlineMinutes, Duties: b.duties(),
		Disclosure: b.disclosure(), HomeAuthorityCopy: b.homeCopy(), Feedback: contactNote(b.issuer), Redress: b.redress(),
		Dossier: notes.Hex(b.frozen.Digest),
	}
	for _, g := range a.Grounds {
		if g.Met == notes.Yes {
			n.Grounds = append(n.Grounds, g.Ground)
		}
	}
	b.purposes(&n, a)
	n.Reasons = notes.Text{Binding: a.Reasons.Binding, Texts: maps.Clone(a.Reasons.Texts)}
	maps.Copy(n.Reasons.Texts, b.in.Reasons)
	n.Languages = slices.Sorted(maps.Keys(n.Reasons.Texts))
	var err error
	if n.FirstNotice, err = b.firstNotice(ctx); err != nil {
		return n, err
	}
	n.Previous, err = b.previous(ctx, id)
	return n, err
}

func partyNote(p party.Party) notes.Party {
	return notes.Party{ID: string(p.ID), Name: p.Name, Kind: string(p.Kind), State: homeState(p)}
}

// stateOf returns the state or union of a pack's code: eu-tco is that of EU.
func stateOf(code string) string {
	state, _, _ := strings.Cut(strings.ToUpper(code), "-")
	return state
}

// homeState is a party's state, for a public body that of its jurisdiction.
func homeState(p party.Party) string { return cmp.Or(p.Establishment, stateOf(p.Jurisdiction)) }

func (b *builder) addresseeNote() notes.Addressee {
	kind := "hosting"
	if len(b.addressee.PlatformKinds) > 0 {
		kind = b.addressee.PlatformKinds[0]
	}
	return notes.Addressee{
		Party: string(b.addressee.ID), Name: b.addressee.Name, Kind: kind, LegalRepresentative: b.addressee.LegalRepresentative,
		Contact: b.addressee.Contact, StateOfMainEstablishment: b.addressee.Establishment,
	}
}

// contactNote reads a party's contact point as mail address, number or URL.
func contactNote(p party.Party) notes.Contact {
	c := notes.Contact{Name: p.Name, Languages: p.Languages}
	switch at := strings.TrimSpace(p.Contact); {
	case strings.HasPrefix(at, "http"):
		c.URL = at
	case strings.HasPrefix(at, "+"):
		c.Telephone = at
	default:
		c.Email = at
	}
	return c
}

func (b *builder) legalBasis() []notes.LegalBasis {
	basis, ok := b.pack.LegalBases[policy.NoticeKind(b.in.Kind)]
	if !ok {
		return nil
	}
	law := basis.Instrument
	for _, i := range b.pack.Instruments {
		if i.Key == basis.Instrument {
			law = b.text(i.Title)
		}
	}
	article := law
	if basis.Rule.Provision != nil {
		article = b.text(*basis.Rule.Provision)
	}
	out := []notes.LegalBasis{{Law: clip(law, 200), Article: clip(article, 100), Title: clip(b.text(basis.Rule.Text), 300)}}
	for _, g := range b.frozen.Document.Assessment.Grounds {
		c, ok := b.pack.Ground(policy.Ground(g.Ground))
		if g.Met != notes.Yes || !ok || c.Provision == nil {
			continue
		}
		p := b.text(*c.Provision)
		out = append(out, notes.LegalBasis{Law: clip(p, 200), Article: clip(p, 100), Title: clip(b.text(c.Text), 300)})
	}
	return out
}

// clip cuts s to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

func (b *builder) duties() *notes.Duties {
	if b.in.Kind == notes.Referral {
		return nil
	}
	var texts []policy.Text
	for _, d := range b.pack.Duties {
		texts = append(texts, d.Rule.Text)
	}
	return &notes.Duties{RemoveMinutes: b.in.DeadlineMinutes, PreserveMonths: b.pack.Preservation.Months.Int(), Statement: b.both(texts...)}
}

func (b *builder) disclosure() notes.Disclosure {
	if b.in.Withhold == "" {
		return notes.Disclosure{MayTellUser: true}
	}
	return notes.Disclosure{Reason: b.one(b.in.Withhold), Until: notes.At(b.in.WithholdUntil)}
}

// homeCopy: a copy goes to the platform's home authority unless that is the
// issuer's own state. Regulation (EU) 2021/784, Article 4(1).
func (b *builder) homeCopy() *notes.HomeCopy {
	if b.in.Kind != notes.RemovalOrder {
		return nil
	}
	state := b.addressee.Establishment
	if !b.pack.HomeCopy.Required || state == "" || state == homeState(b.issuer) {
		return &notes.HomeCopy{}
	}
	return &notes.HomeCopy{Applies: true, State: state, Authority: cmp.Or(b.in.HomeAuthority, "Competent authority of "+state)}
}

var redressFor = map[string]string{"platform": "platform", "user": "uploader", "anyone": "anyone"}

func (b *builder) redress() []notes.Redress {
	var out []notes.Redress
	for _, r := range b.pack.Redress {
		provision := r.Rule.Text
		if r.Rule.Provision != nil {
			provision = *r.Rule.Provision
		}
		n := notes.Redress{
			Body: clip(b.text(r.Body), 200), For: []string{cmp.Or(redressFor[r.For], r.For)}, Deadline: "none",
			Provision: clip(b.text(provision), 300), Languages: append([]string{b.pack.Languages.Binding}, b.pack.Languages.Others...),
		}
		if r.Deadline != nil {
			n.Deadline = fmt.Sprintf("P%dD", r.Deadline.Int())
		}
		out = append(out, n)
	}
	return out
}

// purposes copies the outcomes of the purpose tests; their reasons stand
// together where a purpose was claimed.
func (b *builder) purposes(n *notes.Notice, a notes.Assessment) {
	var claimed []string
	for _, p := range a.PurposeTests {
		n.PurposeTests = append(n.PurposeTests, notes.PurposeTest{Purpose: p.Purpose, Claimed: p.Claimed, Actual: p.Actual})
		if p.Claimed == notes.Yes {
			claimed = append(claimed, string(p.Purpose)+": "+p.Reasons)
		}
	}
	if len(claimed) > 0 {
		n.PurposeReasons = &notes.Text{Binding: a.Reasons.Binding, Texts: map[string]string{a.Reasons.Binding: strings.Join(claimed, "\n")}}
	}
}

// firstNotice: whether this is the first order to the platform where the pack
// has a rule for that. Regulation (EU) 2021/784, Article 3(2).
func (b *builder) firstNotice(ctx context.Context) (*notes.FirstNotice, error) {
	if b.in.Kind != notes.RemovalOrder {
		return nil, nil
	}
	if b.pack.FirstNotice == nil {
		return &notes.FirstNotice{}, nil
	}
	first, err := b.first(ctx)
	if err != nil || !first {
		return &notes.FirstNotice{}, err
	}
	f := &notes.FirstNotice{First: true}
	if b.in.Emergency != "" {
		f.Emergency = b.one(b.in.Emergency)
		return f, nil
	}
	at, err := b.advancedAt(ctx)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		return nil, fault.New(fault.Conflict, "notice.first", "Minutes", b.pack.FirstNotice.Advance.Int(), "Platform", b.addressee.Name)
	}
	f.AdvanceAt = notes.At(at)
	return f, nil
}

// previous names what was sent before about the same case, so that an order
// shows the referral it follows.
func (b *builder) previous(ctx context.Context, id ID) ([]notes.Previous, error) {
	return db.All(ctx, b.tx, func(row db.Row) (notes.Previous, error) {
		p := notes.Previous{Relation: "follows"}
		var digest []byte
		err := row.Scan(&p.Reference, &digest)
		if err == nil && len(digest) == 32 {
			p.Digest = notes.Hex([32]byte(digest))
		}
		return p, err
	}, `SELECT ref, digest FROM notices WHERE case_id = $1 AND addressee = $2 AND id <> $3 AND sent_at IS NOT NULL ORDER BY sent_at, id LIMIT 20`,
		b.frozen.CaseID, b.addressee.ID, id)
}

// policyKind is a notice's kind in the words of a pack.
func policyKind(n Notice) policy.NoticeKind { return policy.NoticeKind(n.Kind) }
