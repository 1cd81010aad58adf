package notice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/db"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/vault"
	"github.com/tangkal/tangkal/notes"
)

// columns are all of a notice: its identifier, what save stores, and the MACs.
const columns = `id, ` + changeable + `, row_mac, sent_mac`

// changeable are the columns that saveWhole stores, in the order of values, and
// living those of them that save stores, in the order of lived: the bytes of a
// notice and its envelope are most of its row and stay as they were signed.
const (
	changeable = drafted + `, ` + living + `, envelope_sealed`
	drafted    = `ref, kind, case_id, case_ref, dossier_id, proposer, issuer, addressee, platform, pack_code, pack_version, pack_digest,
	version, digest, canonical_sealed, key_wrapped, deadline_minutes, grounds, functions, tier, item_count, broad, approvals_needed, may_tell,
	preserve_months, advance_from, emergency, drafted_by, created_at, drafted_at`
	living = `life, delivery, rung, outcome, proposed_at, approved_at,
	issued_at, logged_at, log_seq, sent_at, accepted_at, received_at, deemed_at, unreceived_at, due_at, awaits, reminded_at, overdue_at, answered_at,
	closed_at, withdrawn_at`
)

// listed are the columns as lists read them: the bytes of a notice and its
// envelope are most of its row, and no list opens them.
var listed = strings.NewReplacer("canonical_sealed", "NULL", "envelope_sealed", "NULL").Replace(columns)

func scan(row db.Row) (Notice, error) {
	var n Notice
	var digest []byte
	var grounds, functions, broad string // read apart: a row with a damaged list is shown otherwise whole
	err := row.Scan(&n.ID, &n.Ref, &n.Kind, &n.CaseID, &n.CaseRef, &n.DossierID, &n.Proposer, &n.Issuer, &n.Addressee, &n.Platform,
		&n.Pack.Code, &n.Pack.Version, &n.Pack.Digest, &n.Version, &digest, &n.sealedBytes, (*[]byte)(&n.key), &n.DeadlineMinutes,
		&grounds, &functions, &n.Tier, &n.ItemCount, &broad, &n.ApprovalsNeeded, &n.MayTell, &n.PreserveMonths, db.Time(&n.AdvanceFrom),
		&n.Emergency, &n.DraftedBy, db.Time(&n.CreatedAt), db.Time(&n.DraftedAt), &n.Life, &n.Delivery, &n.Rung, &n.Outcome,
		db.Time(&n.ProposedAt), db.Time(&n.ApprovedAt), db.Time(&n.IssuedAt), db.Time(&n.LoggedAt), &n.LogSeq, db.Time(&n.SentAt),
		db.Time(&n.AcceptedAt), db.Time(&n.ReceivedAt), db.Time(&n.DeemedAt), db.Time(&n.Unreceived), db.Time(&n.DueAt), &n.Awaits,
		db.Time(&n.RemindedAt), db.Time(&n.OverdueAt), db.Time(&n.AnsweredAt), db.Time(&n.ClosedAt), db.Time(&n.WithdrawnAt),
		&n.envelope, &n.rowMAC, &n.sentMAC)
	if err != nil {
		return n, damaged(n.Ref, "columns", err)
	}
	if len(digest) != len(n.Digest) {
		return n, damaged(n.Ref, "digest", nil)
	}
	copy(n.Digest[:], digest)
	if err := errors.Join(json.Unmarshal([]byte(grounds), &n.Grounds), json.Unmarshal([]byte(functions), &n.Functions),
		json.Unmarshal([]byte(broad), &n.Broad)); err != nil {
		return n, damaged(n.Ref, "lists", err)
	}
	return n, nil
}

// scanListed is scan for lists: a damaged row is shown as far as it can be read
// and does not hide the others.
func scanListed(row db.Row) (Notice, error) {
	n, err := scan(row)
	if fault.Is(err, "notice.damaged") && n.ID != "" {
		n.damage, err = err, nil
	}
	return n, err
}

// damaged is a row that this program cannot have written. It is the answer to
// whoever reads it, and a refusal for the dispatcher, which goes on with the
// next notice.
func damaged(ref, why string, err error) error {
	return fault.New(fault.Conflict, "notice.damaged", "Ref", ref, "Why", why).Because(err)
}

func (n Notice) values() []any {
	return slices.Concat([]any{
		n.ID, n.Ref, n.Kind, n.CaseID, n.CaseRef, n.DossierID, n.Proposer, n.Issuer, n.Addressee, n.Platform,
		n.Pack.Code, n.Pack.Version, n.Pack.Digest, n.Version, n.Digest[:], n.sealedBytes, []byte(n.key), n.DeadlineMinutes,
		db.List(n.Grounds), db.List(n.Functions), n.Tier, n.ItemCount, db.List(n.Broad), n.ApprovalsNeeded, n.MayTell, n.PreserveMonths,
		db.MicrosOrNull(n.AdvanceFrom), n.Emergency, n.DraftedBy, db.Micros(n.CreatedAt), db.Micros(n.DraftedAt),
	}, n.lived(), []any{bytesOrNull(n.envelope)})
}

func (n Notice) lived() []any {
	return []any{
		n.Life, n.Delivery, n.Rung, n.Outcome,
		db.MicrosOrNull(n.ProposedAt), db.MicrosOrNull(n.ApprovedAt), db.MicrosOrNull(n.IssuedAt),
		db.MicrosOrNull(n.LoggedAt), n.LogSeq, db.MicrosOrNull(n.SentAt), db.MicrosOrNull(n.AcceptedAt), db.MicrosOrNull(n.ReceivedAt),
		db.MicrosOrNull(n.DeemedAt), db.MicrosOrNull(n.Unreceived), db.MicrosOrNull(n.DueAt), n.Awaits, db.MicrosOrNull(n.RemindedAt),
		db.MicrosOrNull(n.OverdueAt), db.MicrosOrNull(n.AnsweredAt), db.MicrosOrNull(n.ClosedAt), db.MicrosOrNull(n.WithdrawnAt),
	}
}

var (
	changeableCount = strings.Count(changeable, ",") + 1
	insertNotice    = `INSERT INTO notices (` + columns + `) VALUES (` + db.Places(1, 1+changeableCount+1) + `, NULL)`
	// What was stored is looked at by the next sweep.
	updateNotice = `UPDATE notices SET look_at = NULL, (` + changeable + `) = (` + db.Places(2, changeableCount) + `) WHERE id = $1`
	updateLife   = `UPDATE notices SET look_at = NULL, (` + living + `) = (` + db.Places(2, strings.Count(living, ",")+1) + `) WHERE id = $1`
)

// insert stores a new notice; its MAC follows with seal.
func insert(ctx context.Context, tx *db.Tx, n Notice) error {
	_, err := tx.Exec(ctx, insertNotice, append(n.values(), []byte{})...)
	return err
}

// saveWhole stores everything of n that may change. It leaves the MACs alone.
func saveWhole(ctx context.Context, tx *db.Tx, n Notice) error {
	_, err := tx.Exec(ctx, updateNotice, n.values()...)
	return err
}

// save stores how far n has come. What its version says and its envelope stay.
func save(ctx context.Context, tx *db.Tx, n Notice) error {
	_, err := tx.Exec(ctx, updateLife, append([]any{n.ID}, n.lived()...)...)
	return err
}

// get returns the notice, or a hidden fault.
func get(ctx context.Context, r db.Reader, id ID) (Notice, error) {
	return hide(db.One(ctx, r, scan, `SELECT `+columns+` FROM notices WHERE id = $1`, id))
}

// lock returns the notice under a row lock, or a hidden fault.
func lock(ctx context.Context, tx *db.Tx, id ID) (Notice, error) {
	return hide(db.One(ctx, tx, scan, `SELECT `+columns+` FROM notices WHERE id = $1 FOR UPDATE`, id))
}

// life is get without the notice's bytes and its envelope, for what neither
// opens nor seals them.
func life(ctx context.Context, r db.Reader, id ID) (Notice, error) {
	return hide(db.One(ctx, r, scan, `SELECT `+listed+` FROM notices WHERE id = $1`, id))
}

// lifeByRef is life by the reference.
func lifeByRef(ctx context.Context, r db.Reader, ref string) (Notice, error) {
	return hide(db.One(ctx, r, scan, `SELECT `+listed+` FROM notices WHERE ref = $1`, ref))
}

// lockLife is lock in the same way.
func lockLife(ctx context.Context, tx *db.Tx, id ID) (Notice, error) {
	return hide(db.One(ctx, tx, scan, `SELECT `+listed+` FROM notices WHERE id = $1 FOR UPDATE`, id))
}

// byRef returns the notice with that reference, or a hidden fault.
func byRef(ctx context.Context, r db.Reader, ref string) (Notice, error) {
	return hide(db.One(ctx, r, scan, `SELECT `+columns+` FROM notices WHERE ref = $1`, ref))
}

const itemColumns = `n, location_id, url_sealed, platform, kind, content_type, language, state, answer, answers, answered_at, verified_at, reopened, started_at, due_at`

func scanItem(row db.Row) (Item, error) {
	var i Item
	err := row.Scan(&i.N, &i.LocationID, &i.sealedURL, &i.Platform, &i.Kind, &i.ContentType, &i.Language, &i.State,
		&i.Answer, &i.Answers, db.Time(&i.AnsweredAt), db.Time(&i.VerifiedAt), &i.Reopened, db.Time(&i.StartedAt), db.Time(&i.DueAt))
	if err != nil {
		err = damaged("", "items", err)
	}
	return i, err
}

// items returns the items of a notice in order.
func items(ctx context.Context, r db.Reader, id ID) ([]Item, error) {
	return db.All(ctx, r, scanItem, `SELECT `+itemColumns+` FROM notice_items WHERE notice_id = $1 ORDER BY n`, id)
}

// getItem returns one item, or a hidden fault. The caller holds the notice's
// row lock, which every change of its items takes first.
func getItem(ctx context.Context, r db.Reader, id ID, n int) (Item, error) {
	return hide(db.One(ctx, r, scanItem, `SELECT `+itemColumns+` FROM notice_items WHERE notice_id = $1 AND n = $2`, id, n))
}

// itemsNumbered returns those items of a notice, by their numbers. The caller
// holds the notice's row lock.
func itemsNumbered(ctx context.Context, r db.Reader, id ID, numbers []int) (map[int]Item, error) {
	found, err := db.AllIn(ctx, r, scanItem, func(in string) string {
		return `SELECT ` + itemColumns + ` FROM notice_items WHERE notice_id = $1 AND n IN (` + in + `)`
	}, numbers, id)
	by := make(map[int]Item, len(found))
	for _, i := range found {
		by[i.N] = i
	}
	return by, err
}

// saveItem stores what may change of an item.
func saveItem(ctx context.Context, tx *db.Tx, id ID, i Item) error {
	return tx.Send(ctx, `
		UPDATE notice_items SET state = $3, answer = $4, answers = $5, answered_at = $6, verified_at = $7, reopened = $8, started_at = $9, due_at = $10
		WHERE notice_id = $1 AND n = $2`, id, i.N, i.State, i.Answer, i.Answers, db.MicrosOrNull(i.AnsweredAt),
		db.MicrosOrNull(i.VerifiedAt), i.Reopened,
		db.MicrosOrNull(i.StartedAt), db.MicrosOrNull(i.DueAt))
}

// A Signature is one person's signature over one version's digest.
type Signature struct {
	Version     int
	N           int // from 1, in the order they were made
	Step        notes.Step
	Party       party.ID
	PartyKind   party.Kind
	Person      party.PersonID
	Roles       []party.Role // as they were then
	Key         party.KeyID
	Method      party.Method
	Value       []byte   // Ed25519 over the digest, or a passkey's assertion
	Read        []string // parts of the dossier that the signer had opened
	ReadSeconds int
	At          time.Time // to the second

	// Of a passkey only. Left out of the row MAC where they are empty, so that
	// older rows keep theirs.
	RPID              string `json:",omitempty"`
	Origin            string `json:",omitempty"`
	ClientData        []byte `json:",omitempty"`
	AuthenticatorData []byte `json:",omitempty"`

	// Of an approval in a batch only: the batch, and the bytes that were signed
	// (notes.Batch) instead of the notice's digest.
	BatchID BatchID `json:",omitempty"`
	Batch   []byte  `json:",omitempty"`

	notice ID
	digest []byte
}

const signatureColumns = `s.notice_id, s.version, s.n, s.step, s.party_id, s.party_kind, s.person_id, s.roles, s.key_id, s.method, s.digest, s.value,
	s.read_parts, s.read_seconds, s.at, s.rp_id, s.origin, s.client_data, s.authenticator_data, s.batch_id, b.canonical`

// signatureTables are where they stand.
const signatureTables = `notice_signatures s LEFT JOIN notice_batches b ON b.id = s.batch_id`

func scanSignature(row db.Row) (Signature, error) {
	var s Signature
	err := row.Scan(&s.notice, &s.Version, &s.N, &s.Step, &s.Party, &s.PartyKind, &s.Person, db.ListInto(&s.Roles), &s.Key, &s.Method, &s.digest,
		&s.Value, db.ListInto(&s.Read), &s.ReadSeconds, db.Time(&s.At), db.Text(&s.RPID), db.Text(&s.Origin), &s.ClientData, &s.AuthenticatorData,
		db.Text(&s.BatchID), &s.Batch)
	if err != nil {
		err = damaged("", "signatures", err)
	}
	return s, err
}

// signatures returns those of one version, in the order they were made.
func signatures(ctx context.Context, r db.Reader, id ID, version int) ([]Signature, error) {
	return db.All(ctx, r, scanSignature, `
		SELECT `+signatureColumns+` FROM `+signatureTables+` WHERE s.notice_id = $1 AND s.version = $2 ORDER BY s.n`, id, version)
}

// presentSignatures returns those of each notice's present version, in the
// order they were made.
func presentSignatures(ctx context.Context, r db.Reader, notices []Notice) (map[ID][]Signature, error) {
	ids := make([]ID, len(notices))
	for i, n := range notices {
		ids[i] = n.ID
	}
	all, err := db.AllIn(ctx, r, scanSignature, func(in string) string {
		return `SELECT ` + signatureColumns + ` FROM ` + signatureTables + ` JOIN notices n ON n.id = s.notice_id AND n.version = s.version
			WHERE n.id IN (` + in + `) ORDER BY n.id, s.n`
	}, ids)
	out := make(map[ID][]Signature, len(notices))
	for _, s := range all {
		out[s.notice] = append(out[s.notice], s)
	}
	return out, err
}

// insertSignature reports false when the person or key has signed this version
// already, or somebody else has just taken the same step.
func insertSignature(ctx context.Context, tx *db.Tx, id ID, s Signature) (bool, error) {
	n, err := tx.Exec(ctx, `
		INSERT INTO notice_signatures (notice_id, version, n, step, party_id, party_kind, person_id, roles, key_id, method, digest, value,
			read_parts, read_seconds, at, rp_id, origin, client_data, authenticator_data, batch_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) ON CONFLICT DO NOTHING`,
		id, s.Version, s.N, s.Step, s.Party, s.PartyKind, s.Person, db.List(s.Roles), s.Key, s.Method, s.digest, s.Value,
		db.List(s.Read), s.ReadSeconds, db.Micros(s.At), db.OrNull(s.RPID), db.OrNull(s.Origin), s.ClientData, s.AuthenticatorData, db.OrNull(s.BatchID))
	return n == 1, err
}

// rows is everything of a notice that the row MAC covers, in its JSON form. A
// field that comes into it, here or in what it holds, makes every notice that
// was sealed before and not sent yet look forged: a test keeps the form.
type rows struct {
	Notice     Notice
	Sealed     [][]byte // what Notice keeps to itself
	Items      []Item
	ItemSealed [][]byte
	Versions   []versionRow
	Signatures []Signature
	Digests    [][]byte
}

type versionRow struct {
	Version   int
	Digest    []byte
	Sealed    []byte
	DossierID casework.DossierID
	Person    party.PersonID
	At        time.Time
}

func scanVersion(row db.Row) (versionRow, error) {
	var v versionRow
	err := row.Scan(&v.Version, &v.Digest, &v.Sealed, &v.DossierID, &v.Person, db.Time(&v.At))
	if err != nil {
		err = damaged("", "versions", err)
	}
	return v, err
}

func versions(ctx context.Context, r db.Reader, id ID) ([]versionRow, error) {
	return db.All(ctx, r, scanVersion, `
		SELECT version, digest, canonical_sealed, dossier_id, person_id, at FROM notice_versions WHERE notice_id = $1 ORDER BY version`, id)
}

// readRows reads what the row MAC covers, as the database holds it now.
func readRows(ctx context.Context, r db.Reader, id ID) (rows, error) {
	n, err := get(ctx, r, id)
	if err != nil {
		return rows{}, err
	}
	w := rows{Notice: n, Sealed: [][]byte{n.sealedBytes, n.key, n.envelope, n.sentMAC}}
	if w.Items, err = items(ctx, r, id); err != nil {
		return rows{}, err
	}
	for _, i := range w.Items {
		w.ItemSealed = append(w.ItemSealed, i.sealedURL)
	}
	if w.Versions, err = versions(ctx, r, id); err != nil {
		return rows{}, err
	}
	for _, v := range w.Versions {
		sigs, err := signatures(ctx, r, id, v.Version)
		if err != nil {
			return rows{}, err
		}
		for _, s := range sigs {
			w.Signatures, w.Digests = append(w.Signatures, s), append(w.Digests, s.digest)
		}
	}
	return w, nil
}

// rowMAC is the MAC over rows under a key outside the database: SQL alone
// cannot make one (threat-model T12). Schemas 39 to 42 put Awaits, always false
// before dispatch, into what it covers: former is the MAC that they made.
func (r *Room) rowMAC(w rows) (mac, former []byte, err error) {
	raw, err := json.Marshal(w)
	if err != nil {
		return nil, nil, fmt.Errorf("row MAC: %w", err)
	}
	withAwaits := bytes.Replace(raw, []byte(`,"RemindedAt":`), []byte(`,"Awaits":false,"RemindedAt":`), 1)
	return r.Vault.MAC("notice-rows", raw), r.Vault.MAC("notice-rows", withAwaits), nil
}

// seal renews the row MAC after a change of a notice that is not yet sent.
func (r *Room) seal(ctx context.Context, tx *db.Tx, id ID) error {
	w, err := readRows(ctx, tx, id)
	if err != nil {
		return err
	}
	mac, _, err := r.rowMAC(w)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE notices SET row_mac = $2 WHERE id = $1`, id, mac)
	return err
}

// whole returns the rows of a notice that is not yet sent, or a Conflict if
// they are not those that this program wrote.
func (r *Room) whole(ctx context.Context, reader db.Reader, id ID) (rows, error) {
	w, err := readRows(ctx, reader, id)
	if err != nil {
		return w, err
	}
	mac, former, err := r.rowMAC(w)
	if err != nil {
		return w, err
	}
	// That an answer is awaited, no notice says that was not sent.
	if w.Notice.Awaits || !hmac.Equal(mac, w.Notice.rowMAC) && !hmac.Equal(former, w.Notice.rowMAC) {
		return w, fault.New(fault.Conflict, "notice.damaged", "Ref", w.Notice.Ref, "Why", "rows")
	}
	return w, nil
}

// sentProof is what only the dispatcher sets.
func (r *Room) sentProof(n Notice) []byte {
	return r.Vault.MAC("notice-sent", fmt.Appendf(nil, "%s|%s|%d|%s|%s|%d", n.ID, n.Ref, n.Version, notes.Hex(n.Digest), n.Addressee, n.SentAt.UnixMicro()))
}

// sentRightly reports whether the dispatcher has sent n. A row that only claims
// so is shown to no platform.
func (r *Room) sentRightly(n Notice) bool {
	return !n.SentAt.IsZero() && len(n.sentMAC) > 0 && hmac.Equal(n.sentMAC, r.sentProof(n))
}

// unwrap returns the key under which the notice's texts are sealed.
func (r *Room) unwrap(n Notice) (vault.Key, error) {
	k, err := r.Vault.Unwrap(n.key)
	if err != nil {
		return k, fault.New(fault.Conflict, "notice.damaged", "Ref", n.Ref, "Why", "key").Because(err)
	}
	return k, nil
}

// open returns what was sealed for a column of n.
func (r *Room) open(n Notice, sealed []byte, what string) ([]byte, error) {
	k, err := r.unwrap(n)
	if err != nil {
		return nil, err
	}
	plain, err := vault.Unseal(k, sealed, aad(n.ID, what))
	if err != nil {
		return nil, fault.New(fault.Conflict, "notice.damaged", "Ref", n.Ref, "Why", what).Because(err)
	}
	return plain, nil
}

// close seals a text for a column of n.
func (r *Room) close(n Notice, plain []byte, what string) ([]byte, error) {
	k, err := r.unwrap(n)
	if err != nil {
		return nil, err
	}
	return vault.Seal(k, plain, aad(n.ID, what)), nil
}

// aad binds a sealed text to its notice and place.
func aad(id ID, what string) string { return "notice/" + string(id) + "/" + what }

func hide[T any](v T, err error) (T, error) {
	if errors.Is(err, db.ErrAbsent) {
		return v, fault.Hidden("notice")
	}
	return v, err
}

func bytesOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

func errPack(n Notice) error {
	return fault.New(fault.Conflict, "notice.pack-gone", "Code", n.Pack.Code, "Version", n.Pack.Version)
}
