package web

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// A TouchPage stands between an act and its doing: the person shows that they
// are there, and what they had sent goes on to where it was going.
type TouchPage struct {
	components.ConsolePage
	Action  string              // of this page's form
	Fields  []components.Hidden // what was sent
	Passkey PasskeyButton       // for who has one
	Sign    components.SignForm // for who has a key of their browser alone
	Demo    bool                // one press suffices: a made-up person
	NoKey   bool                // they have nothing to show it with
	Error   string
	Back    string // page that it came from
}

// touchPrefix begins the names of this page's own fields.
const touchPrefix = "touch-"

// askTouch shows the page for the request that was refused, whose form is
// carried along. said is why the last attempt failed, nil at first.
func (s *Server) askTouch(w http.ResponseWriter, r *http.Request, to string, said *fault.Error) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	ctx, by := r.Context(), actorOf(r.Context())
	c, err := s.console(r, "", "")
	if err != nil {
		return err
	}
	c.Title = c.P.T("public.touch.title")
	c.Crumbs = []components.Crumb{{Label: c.Title}}
	pg := TouchPage{ConsolePage: c, Action: "/touch?" + url.Values{"to": {to}}.Encode(), Back: ownPath(r.PostForm.Get(touchPrefix + "back"))}
	if pg.Back == "" {
		pg.Back = ownPath(backTo(r))
	}
	if pg.Back == "" {
		pg.Back = "/profile"
	}
	pg.Path = pg.Back // where a change of language leads
	if said != nil {
		pg.Error, pg.Failed = c.P.Fault(said), true
	}
	pg.Fields = append(kept(r.PostForm), components.Hidden{Name: touchPrefix + "back", Value: pg.Back})
	challenge := s.Auth.TouchChallenge(by)
	digest := challenge.Digest()
	if pg.Passkey.Options, err = s.Passkeys.SignOptions(ctx, by.Person, digest); err != nil {
		return err
	}
	pg.Passkey.Challenge, pg.Passkey.Field = challenge.ID, touchPrefix+"credential"
	if pg.Passkey.Options == "" {
		sign, device, err := s.signForm(ctx, c.P, by, digest)
		if err != nil {
			return err
		}
		sign.Digest, sign.Enrol, sign.Touch = base64.StdEncoding.EncodeToString(challenge.Nonce), "", true
		pg.Sign, pg.Demo, pg.NoKey = sign, s.Demo, device == ""
	}
	return s.render(w, r, http.StatusForbidden, touchView(pg))
}

// kept is a form without this page's own fields, in an order that does not
// change.
func kept(form url.Values) []components.Hidden {
	var names []string
	for name := range form {
		if !strings.HasPrefix(name, touchPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var out []components.Hidden
	for _, name := range names {
		for _, value := range form[name] {
			out = append(out, components.Hidden{Name: name, Value: value})
		}
	}
	return out
}

// postTouch: POST /touch?to=/path with what was sent to that path, and
// touch-challenge and touch-credential, or touch-key and touch-signature.
// Whoever showed that they are there is sent on with everything they brought
// (RFC 9110, section 15.4.8: the method and the content stay).
func (s *Server) postTouch(w http.ResponseWriter, r *http.Request) error {
	if err := smallForm(w, r); err != nil {
		return err
	}
	to := ownPath(r.URL.Query().Get("to"))
	if to == "" {
		return fault.Hidden("page")
	}
	err := s.touch(r)
	if e, ok := fault.As(err); ok && e.Kind == fault.Denied {
		return s.askTouch(w, r, to, e)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, to, http.StatusTemporaryRedirect) //nolint:gosec // a path of our own
	return nil
}

// touch takes whatever the page's form brought.
func (s *Server) touch(r *http.Request) error {
	ctx, by, f := r.Context(), actorOf(r.Context()), r.PostForm
	challenge := f.Get(touchPrefix + "challenge")
	if credential := f.Get(touchPrefix + "credential"); credential != "" {
		return s.Passkeys.Touch(ctx, by, auth.PasskeyAnswer{Challenge: challenge, Credential: []byte(credential)})
	}
	if s.Demo && f.Get(touchPrefix+"demo") != "" {
		return s.Auth.TouchDemo(ctx, by)
	}
	signature, err := base64.StdEncoding.DecodeString(f.Get(touchPrefix + "signature"))
	if err != nil {
		signature = nil // a wrong one, and answered as such
	}
	return s.Auth.TouchByKey(ctx, by, challenge, party.KeyID(f.Get(touchPrefix+"key")), signature)
}
