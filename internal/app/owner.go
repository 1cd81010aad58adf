package app

import (
	"os/user"
	"strconv"
)

// Foreign returns whose a directory is, by name or by number, if the user with
// the number uid is root and it belongs to somebody else: what root makes there
// the server, which runs as that user, cannot open. Everybody else meets by
// themselves what they may not do.
func Foreign(dir string, uid int) (owner string, foreign bool) {
	number, ok := ownerOf(dir)
	if !ok || uid != 0 || number == 0 {
		return "", false
	}
	owner = strconv.Itoa(number)
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	return owner, true
}
