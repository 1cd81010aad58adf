package web

// Routes is the table of all pages, group by group. Its order is that of the
// work; the API's table stands in package api.
func (s *Server) Routes() []Route {
	var all []Route
	for _, group := range [][]Route{
		s.publicRoutes(), s.signInRoutes(), s.triageRoutes(), s.noticeRoutes(), s.inboxRoutes(), s.adminRoutes(),
	} {
		all = append(all, group...)
	}
	return all
}
