package auth_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/db/dbtest"
	"github.com/tangkal/tangkal/internal/party"
)

// A recoveryWalk does whatever comes to mind to the recoveries of one person,
// and keeps beside them what must be so.
type recoveryWalk struct {
	*bureau
	t          *testing.T
	everybody  []party.Actor
	id         string
	opener     party.PersonID
	confirmer  party.PersonID
	code, link string
	until      time.Time // of the present step; zero while none stands
	keys       int       // how often a new key was made
}

// TestNoWalkRecoversWithoutThreePeople tries random sequences of opening,
// confirming, cancelling, waiting and using by everybody: a key is made exactly
// if two who may, neither of them the person, spoke within the time and nobody
// cancelled.
func TestNoWalkRecoversWithoutThreePeople(t *testing.T) {
	w, n := start(dbtest.SQLite(t)), 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		b := w.bureau(t, fmt.Sprintf("bureau-%d", n))
		k := &recoveryWalk{bureau: b, t: t, everybody: []party.Actor{b.head, b.second, b.approver, b.lost, b.analyst, b.other}}
		r.Repeat(map[string]func(*rapid.T){
			"open": k.opens, "confirm": k.confirms, "cancel": k.cancels, "wait": k.waits, "use": k.uses, "sweep": k.sweeps,
		})
	})
}

func (k *recoveryWalk) who(r *rapid.T) party.Actor {
	return rapid.SampledFrom(k.everybody).Draw(r, "who")
}

func (k *recoveryWalk) stands() bool { return k.clock.Now().Before(k.until) }

func (k *recoveryWalk) opens(r *rapid.T) {
	by := k.who(r)
	may := (by.Person == k.head.Person || by.Person == k.second.Person) && !k.stands()
	rec, code, err := k.OpenRecovery(k.t.Context(), by, k.lost.Person)
	if (err == nil) != may {
		r.Fatalf("%s opens: %v, want allowed %v", by.Name, err, may)
	}
	if err == nil {
		k.id, k.opener, k.confirmer, k.code, k.link, k.until = rec.ID, by.Person, "", code, "", k.clock.Now().Add(24*time.Hour)
	}
}

func (k *recoveryWalk) confirms(r *rapid.T) {
	by := k.who(r)
	seat := by.Person == k.head.Person || by.Person == k.second.Person || by.Person == k.approver.Person
	may := seat && k.stands() && k.confirmer == "" && by.Person != k.opener
	_, link, err := k.ConfirmRecovery(k.t.Context(), by, k.id)
	if (err == nil) != may {
		r.Fatalf("%s confirms: %v, want allowed %v", by.Name, err, may)
	}
	if err == nil {
		k.confirmer, k.link, k.until = by.Person, link, k.clock.Now().Add(24*time.Hour)
	}
}

func (k *recoveryWalk) cancels(r *rapid.T) {
	by := k.who(r)
	if err := k.CancelRecovery(k.t.Context(), by, k.id); err == nil {
		if by.Person == k.analyst.Person || by.Person == k.other.Person {
			r.Fatalf("%s cancels", by.Name)
		}
		k.until = time.Time{}
	}
}

func (k *recoveryWalk) waits(r *rapid.T) {
	k.clock.Advance(time.Duration(rapid.IntRange(0, 14).Draw(r, "hours")) * time.Hour)
}

func (k *recoveryWalk) sweeps(r *rapid.T) {
	if err := k.SweepRecoveries(k.t.Context()); err != nil {
		r.Fatal(err)
	}
}

func (k *recoveryWalk) uses(r *rapid.T) {
	code := k.code
	right := rapid.Float64().Draw(r, "right") < 0.8
	if !right {
		code = "0000-0000"
	}
	public, _ := newKey(k.t)
	_, err := k.Recover(k.t.Context(), k.link, code, public, "x")
	may := right && k.link != "" && k.stands() && k.confirmer != ""
	if (err == nil) != may && (err == nil || !k.guessed()) {
		r.Fatalf("used: %v, want allowed %v", err, may)
	}
	if k.guessed() {
		k.until = time.Time{}
	}
	if err == nil {
		k.keys++
		k.until = time.Time{}
		if ways, err := party.WaysIn(k.t.Context(), k.d, k.lost.Person); err != nil || ways != 1 {
			r.Fatalf("%d ways in, %v", ways, err)
		}
	}
	made := k.count(k.t, `SELECT count(*) FROM person_keys WHERE person_id = $1`, k.lost.Person)
	if int(made) != k.keys {
		r.Fatalf("%d keys were made, want %d", made, k.keys)
	}
}

// guessed reports whether the recovery ended by wrong codes.
func (k *recoveryWalk) guessed() bool {
	r, err := k.GetRecovery(k.t.Context(), k.d, k.id)
	return err == nil && r.Ended == auth.EndGuessed
}
