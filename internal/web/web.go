// Package web serves the pages people use: the public's and the staff's.
//
// A page is a file each of three: a handler, a struct with everything decided,
// and a templ component of the same name. Parts shared by pages are in
// components, what browsers fetch besides pages is in static.
package web
