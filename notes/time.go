package notes

import (
	"encoding/json"
	"fmt"
	"time"
)

const timeLayout = "2006-01-02T15:04:05Z"

// Time is a moment in UTC, to the second. Its JSON form is RFC 3339 with "Z"
// and without a fraction, as in "2026-11-19T08:26:00Z". The zero value means
// absent.
type Time struct{ time.Time }

// At returns t in UTC with its fraction of a second cut off.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Second)} }

// MarshalJSON writes t. It refuses years outside 1 to 9999, which the form
// cannot hold.
func (t Time) MarshalJSON() ([]byte, error) {
	u := t.UTC()
	if y := u.Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("year %d cannot be written as RFC 3339", y)
	}
	return []byte(`"` + u.Format(timeLayout) + `"`), nil
}

// UnmarshalJSON reads exactly what MarshalJSON writes: no offset, no fraction.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	u, err := time.Parse(timeLayout, s)
	if err != nil || u.Format(timeLayout) != s {
		return fmt.Errorf("%q is not a UTC time to the second like %s", clip(s), timeLayout)
	}
	t.Time = u
	return nil
}
