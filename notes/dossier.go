package notes

// Dossier is the frozen copy of an assessment, its locations and its evidence
// manifest that travels with a proposal or a hand-over. It hands over the
// dossier, not the case.
type Dossier struct {
	V               int        `json:"v"`
	Instance        string     `json:"instance"`
	ID              string     `json:"id"` // UUID
	Case            string     `json:"case"`
	From            Party      `json:"from"`
	To              Party      `json:"to"`
	FrozenAt        Time       `json:"frozen_at"`
	Assessment      Assessment `json:"assessment"`
	Locations       []Item     `json:"locations"`
	Evidence        []Evidence `json:"evidence"`
	EvidenceMissing *Text      `json:"evidence_missing,omitempty"` // required when there is none
}

// Evidence is one sealed file of the manifest.
type Evidence struct {
	N          int    `json:"n"`
	SHA256     string `json:"sha256"` // of the plain bytes, hex
	Size       int64  `json:"size"`   // bytes
	MediaType  string `json:"media_type"`
	CapturedAt Time   `json:"captured_at"`
	SealedBy   string `json:"sealed_by"` // role: analyst, system, timestamp-authority
	Item       int    `json:"item"`      // number of the location it shows; 0 is all
}

// Assessment is one version of what an agency found. It is never edited: a new
// version names the digest of the one before.
type Assessment struct {
	V            int             `json:"v"`
	Instance     string          `json:"instance"`
	ID           string          `json:"id"` // UUID
	Case         string          `json:"case"`
	Version      int             `json:"version"`            // from 1
	Previous     string          `json:"previous,omitempty"` // digest, hex; required after 1
	Agency       Party           `json:"agency"`
	Jurisdiction string          `json:"jurisdiction"`
	Pack         Pack            `json:"pack"`
	Measure      string          `json:"measure"` // kind of notice proposed, or none
	Public       Finding         `json:"public"`  // disseminated to the public?
	Grounds      []GroundFinding `json:"grounds"` // all five, in order
	Functions    []Function      `json:"functions"`
	Audience     []Audience      `json:"audience,omitempty"`
	Tier         Tier            `json:"tier"`
	Listed       Listed          `json:"listed"`
	PurposeTests []PurposeTest   `json:"purpose_tests"` // all five, in order, with reasons
	Necessity    Necessity       `json:"necessity"`
	Scope        Scope           `json:"scope"`
	Reasons      Text            `json:"reasons"`
}

// GroundFinding is the answer to one ground. Yes and unsure need reasons.
type GroundFinding struct {
	Ground  Ground  `json:"ground"`
	Met     Finding `json:"met"`
	Reasons string  `json:"reasons,omitempty"`
}
