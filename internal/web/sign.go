package web

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/tangkal/tangkal/internal/fault"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
)

// signForm is what signs a digest: the person's passkeys, or for who has none
// the key of their browser. It also says in words what will sign, "" if nothing
// is there yet.
func (s *Server) signForm(ctx context.Context, p *i18n.Printer, by party.Actor, digest [32]byte) (components.SignForm, string, error) {
	form := components.SignForm{Digest: base64.StdEncoding.EncodeToString(digest[:]), Label: by.Name}
	var err error
	if form.Options, err = s.Passkeys.SignOptions(ctx, by.Person, digest); err != nil {
		return form, "", err
	}
	method, words := party.BrowserKey, "order.key"
	if form.Options != "" {
		method, words = party.Passkey, "order.key.passkey"
	} else {
		form.Enrol = "/profile/keys"
	}
	keys, err := party.Keys(ctx, s.DB, by.Person)
	if err != nil {
		return form, "", err
	}
	var labels []string
	for _, k := range keys {
		if k.RevokedAt.IsZero() && k.Method == method {
			form.Keys, labels = append(form.Keys, string(k.ID)), append(labels, k.Label)
		}
	}
	if len(labels) == 0 {
		return form, "", nil
	}
	return form, p.T(words, "Label", strings.Join(labels, ", ")), nil
}

// formSignature reads what a form of signForm brought: a passkey's assertion, or
// what the browser's key made. signed says whether there is either.
func (s *Server) formSignature(r *http.Request) (sig notice.Sig, signed bool, err error) {
	if credential := r.PostFormValue("credential"); credential != "" {
		a, err := s.Passkeys.ReadAssertion(r.Context(), []byte(credential))
		return notice.Sig{Key: a.Key, Value: a.Signature, ClientData: a.ClientData, AuthenticatorData: a.AuthenticatorData}, true, err
	}
	text := r.PostFormValue("signature")
	if text == "" {
		return notice.Sig{}, false, nil
	}
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return notice.Sig{}, true, fault.New(fault.Invalid, "notice.signature").At("/signature").Because(err)
	}
	return notice.Sig{Key: party.KeyID(r.PostFormValue("key")), Value: value}, true, nil
}
