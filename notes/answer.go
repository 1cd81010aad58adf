package notes

// Answer is what a platform says in one call about items of one notice. It
// carries Annex II (done) and Annex III (cannot) of Regulation (EU) 2021/784.
type Answer struct {
	V                 int       `json:"v"`
	Instance          string    `json:"instance"`
	ID                string    `json:"id"` // UUID
	Reference         string    `json:"reference"`
	Notice            string    `json:"notice"` // digest of the notice, hex
	Party             string    `json:"party"`  // the platform
	PlatformReference string    `json:"platform_reference,omitempty"`
	ReceivedAt        Time      `json:"received_at"`
	UTCOffset         string    `json:"utc_offset,omitempty"` // the platform's clock, as +07:00
	Rows              []Row     `json:"rows"`
	Contact           *Contact  `json:"contact,omitempty"`
	Corrects          *Corrects `json:"corrects,omitempty"`
}

// Corrects names an earlier answer whose rows about the same items no longer
// hold.
type Corrects struct {
	ID     string `json:"id"`
	Digest string `json:"digest"`
}

// Row answers one item. Which fields an answer needs is in schema/answer.json.
type Row struct {
	N              int          `json:"n"` // number of the item in its notice
	Answer         AnswerKind   `json:"answer"`
	At             Time         `json:"at,omitzero"` // when it was done
	Basis          Basis        `json:"basis,omitempty"`
	Where          []string     `json:"where,omitempty"` // territories
	Until          Time         `json:"until,omitzero"`
	How            string       `json:"how,omitempty"` // restricted: demoted, age-gated, unmonetised
	Label          string       `json:"label,omitempty"`
	Ground         AnswerGround `json:"ground,omitempty"`
	Explanation    string       `json:"explanation,omitempty"`
	Question       string       `json:"question,omitempty"`
	Court          string       `json:"court,omitempty"`
	CourtReference string       `json:"court_reference,omitempty"`
	Suspensive     *bool        `json:"suspensive,omitempty"`
	PreservedUntil Time         `json:"preserved_until,omitzero"`
	UserToldAt     Time         `json:"user_told_at,omitzero"`
	Automated      *bool        `json:"automated,omitempty"` // decided without a person
}

// Receipt is the platform's proof that a notice reached it. The answer clock
// starts at received_at.
type Receipt struct {
	V          int     `json:"v"`
	Instance   string  `json:"instance"`
	ID         string  `json:"id"` // UUID
	Reference  string  `json:"reference"`
	Notice     string  `json:"notice"` // digest of the notice, hex
	Party      string  `json:"party"`
	ReceivedAt Time    `json:"received_at"`
	UTCOffset  string  `json:"utc_offset,omitempty"`
	Channel    Channel `json:"channel"`
	By         string  `json:"by"`             // person or automation
	Name       string  `json:"name,omitempty"` // of the desk or person, if the platform gives it
}

// Webhook is the body of a webhook: it says that something happened and where
// to look, nothing else.
type Webhook struct {
	V         int    `json:"v"`
	ID        string `json:"id"`   // the same on every retry
	Type      string `json:"type"` // noun.verb
	Time      Time   `json:"time"`
	Party     string `json:"party"` // whom it is for
	Reference string `json:"reference,omitempty"`
	URL       string `json:"url"`
	Sequence  int64  `json:"sequence"` // position in the receiver's feed
}
