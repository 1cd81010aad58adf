package web

import "slices"

// Routes is the table of all pages, group by group. Its order is that of the
// work; the API's table stands in package api.
func (s *Server) Routes() []Route {
	return slices.Concat(s.publicRoutes(), s.sessionRoutes())
}

// sessionRoutes are the pages that know who asks.
func (s *Server) sessionRoutes() []Route {
	return slices.Concat(s.signInRoutes(), s.waitingRoutes(), s.dutyRoutes(), s.urgentRoutes(), s.triageRoutes(), s.listRoutes(), s.accuracyRoutes(), s.noticeRoutes(), s.batchRoutes(), s.inboxRoutes(), s.adminRoutes())
}
