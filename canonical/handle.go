package canonical

import (
	"strings"
)

// expandHandle returns the link of the account that s names, or s itself if
// it is no handle. Handles are @name@host and acct:name@host (RFC 7565),
// platform:@name, and @name where hint gives the platform's key.
func (ps *Platforms) expandHandle(s, hint string) (string, error) {
	if rest, ok := cutPrefixFold(s, "acct:"); ok && strings.Contains(rest, "@") {
		s = "@" + strings.TrimPrefix(rest, "@")
	}
	if key, name, ok := strings.Cut(s, ":"); ok && !strings.HasPrefix(s, "@") {
		name = strings.TrimSpace(name)
		if !strings.HasPrefix(name, "@") || strings.ContainsAny(key, "./ ") {
			return s, nil
		}
		return ps.accountOn(strings.ToLower(key), name[1:], s)
	}
	if !strings.HasPrefix(s, "@") {
		return s, nil
	}
	name, host, ok := strings.Cut(s[1:], "@")
	if !ok {
		if hint == "" {
			return "", refuse(NeedsPlatform, s)
		}
		return ps.accountOn(hint, name, s)
	}
	return ps.accountAt(host, name, s)
}

// accountOn is the account of a name on the platform with the key.
func (ps *Platforms) accountOn(key, name, shown string) (string, error) {
	p, ok := ps.byKey[key]
	switch {
	case !ok || p.Handle == "" || p.Host == "":
		return "", refuse(NoPlatform, shown)
	case !isName(name):
		return "", refuse(BadHandle, shown)
	}
	return "https://" + p.Host + strings.Replace(p.Handle, "{name}", name, 1), nil
}

// accountAt is the account of a name at a host: as its platform writes it, or
// as Mastodon and its kin do, https://host/@name.
func (ps *Platforms) accountAt(host, name, shown string) (string, error) {
	if !isName(name) || strings.ContainsAny(host, "/?#\\@") {
		return "", refuse(BadHandle, shown)
	}
	a, err := split(host)
	if err != nil {
		return "", err
	}
	path := "/@{name}"
	if p := ps.Lookup(a.host); p != nil && p.Handle != "" {
		path = p.Handle
	}
	if a.port != "" {
		host = a.host + ":" + a.port
	} else {
		host = a.host
	}
	return "https://" + host + strings.Replace(path, "{name}", name, 1), nil
}

// isName reports what the known platforms allow as the name of an account.
func isName(s string) bool {
	if s == "" || len(s) > 64 || strings.Trim(s, ".") == "" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !plainBytes[c] || c == '~' {
			return false
		}
	}
	return true
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// wallet reads scheme:address, as BIP 21 and ERC-681 write it; what follows a
// "?" asks for an amount and is dropped.
func (ps *Platforms) wallet(s string) (Location, bool, *Error) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return Location{}, false, nil
	}
	w, ok := ps.wallets[strings.ToLower(scheme)]
	if !ok || strings.HasPrefix(rest, "@") {
		return Location{}, false, nil
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	if folded := strings.ToLower(id); w.Lower || folded == id || strings.ToUpper(id) == id && w.prefixed(folded) {
		id = folded
	}
	if !w.valid(id) {
		return Location{}, true, refuse(BadWallet, s)
	}
	return Location{Canonical: w.Scheme + ":" + id, Platform: w.Scheme, Kind: Wallet, ID: id}, true, nil
}

// prefixed reports an address of the checked base 32 kind (BIP 173), which may
// be written in capitals throughout.
func (w *walletRule) prefixed(s string) bool {
	return w.Prefix32 != "" && strings.HasPrefix(s, w.Prefix32)
}

func (w *walletRule) valid(s string) bool {
	if len(s) < w.Min || len(s) > w.Max {
		return false
	}
	alphabet := w.Alphabet
	if w.prefixed(s) {
		s, alphabet = s[len(w.Prefix32):], "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	}
	if w.Prefix != "" && w.Prefix32 == "" {
		rest, ok := strings.CutPrefix(s, w.Prefix)
		if !ok {
			return false
		}
		s = rest
	}
	return s != "" && strings.Trim(s, alphabet) == ""
}
