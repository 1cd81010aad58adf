package web

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tangkal/tangkal/internal/auth"
	"github.com/tangkal/tangkal/internal/i18n"
	"github.com/tangkal/tangkal/internal/notice"
	"github.com/tangkal/tangkal/internal/party"
	"github.com/tangkal/tangkal/internal/web/components"
	"github.com/tangkal/tangkal/notes"
)

// noticeRoutes are the pages on which notices are decided and followed: what
// waits for a signature, the list, one notice with all that is done to it, and
// its paper form.
func (s *Server) noticeRoutes() []Route {
	return []Route{
		{"GET /approvals", auth.NoticeVerify, s.approvals},
		{"GET /approvals/{id}", auth.NoticeVerify, s.approval},
		{"POST /orders/{id}/propose", auth.NoticePropose, s.signNotice(notice.EventPropose)},
		{"POST /orders/{id}/approve", auth.NoticeApprove, s.signNotice(notice.EventApprove)},
		{"POST /orders/{id}/issue", auth.NoticeIssue, s.signNotice(notice.EventIssue)},
		{"POST /orders/{id}/return", auth.NoticeReturn, s.returnNotice},

		{"GET /find", auth.NoticeRead, s.find},
		{"GET /orders", auth.NoticeRead, s.orders},
		{"GET /orders/{id}", auth.NoticeRead, s.order},
		{"GET /orders/{id}/print", auth.NoticeRead, s.printNotice},
		{"GET /orders/{id}/signed.json", auth.NoticeRead, s.signedNotice},
		{"GET /orders/{id}/files/{file}", auth.NoticeVerify, s.noticeFile},
		{"POST /orders/{id}/messages", auth.NoticeWrite, s.orderAct(actWrite)},
		{"POST /orders/{id}/recorded", auth.NoticeVerify, s.orderAct(actRecord)},
		{"POST /orders/{id}/verify", auth.NoticeVerify, s.orderAct(actVerify)},
		{"POST /orders/{id}/items/{n}/reopen", auth.NoticeVerify, s.orderAct(actReopen)},
		{"POST /orders/{id}/items/{n}/resolve", auth.NoticeVerify, s.orderAct(actResolve)},
		{"POST /orders/{id}/served", auth.NoticeVerify, s.orderAct(actServe)},
		{"POST /orders/{id}/deemed", auth.NoticeDeem, s.orderAct(actDeem)},
		{"POST /orders/{id}/deemed/confirm", auth.NoticeConfirm, s.orderAct(actConfirm)},
		{"POST /orders/{id}/withdraw", auth.NoticeWithdraw, s.orderAct(actWithdraw)},
	}
}

// OrdersPage lists the notices that the actor may read.
type OrdersPage struct {
	components.ConsolePage
	Tabs      []components.Tab
	Filter    orderFilter
	Kinds     []components.Choice
	Platforms []components.Choice
	Rows      []OrderRow
	First     string // address of the first page, "" on it
	More      string // address of the next page, "" at the end
	Reload    string
	Empty     components.Empty
	Platform  bool // the reader is a platform: the column names the issuer
}

// An OrderRow is a notice in the list. It shows no content.
type OrderRow struct {
	Href     string
	Ref      string
	Icon     string
	Title    string
	Other    string // the other side
	Grounds  []components.Ground
	Chips    []components.Chip
	Done     string // "2 / 3" items
	Deadline *components.Deadline
	At       time.Time // the step that it took last
}

// An orderFilter is what the address says about the list.
type orderFilter struct{ Show, Kind, Platform, Cursor string }

func readOrderFilter(q url.Values) orderFilter {
	return orderFilter{Show: q.Get("show"), Kind: q.Get("kind"), Platform: q.Get("platform"), Cursor: q.Get("cursor")}
}

// href is the list under this filter.
func (f orderFilter) href() string {
	q := url.Values{}
	for name, v := range map[string]string{"show": f.Show, "kind": f.Kind, "platform": f.Platform, "cursor": f.Cursor} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if len(q) == 0 {
		return "/orders"
	}
	return "/orders?" + q.Encode()
}

// What the list shows, by tab.
const (
	showAll      = ""
	showDeciding = "deciding"
	showOpen     = "open"
	showOverdue  = "overdue"
	showAwaits   = "awaits"
	showDone     = "done"
)

// room returns the filter in the room's words. An unknown tab shows all.
func (f orderFilter) room() notice.Filter {
	out := notice.Filter{Kind: notes.NoticeKind(f.Kind), Platform: f.Platform, Cursor: f.Cursor}
	switch f.Show {
	case showDeciding:
		out.Lives = notice.Deciding()
	case showOpen:
		out.Lives = []notice.Life{notice.Open}
		out.ByDueTime = true
	case showOverdue:
		out.Lives, out.Deadline = []notice.Life{notice.Open}, notice.Overdue
		out.ByDueTime = true
	case showAwaits:
		out.Lives, out.Deadline = []notice.Life{notice.Open}, notice.AwaitsReceipt
	case showDone:
		out.Lives = []notice.Life{notice.Closed, notice.Withdrawn, notice.Quashed}
	}
	return out
}

// orders: GET /orders.
func (s *Server) orders(w http.ResponseWriter, r *http.Request) error {
	ctx, by, p := r.Context(), actorOf(r.Context()), i18n.For(langOf(r))
	f := readOrderFilter(r.URL.Query())
	pg := OrdersPage{Filter: f, Platform: by.PartyKind == party.Platform}
	active, title := "orders", p.T("order.list.title")
	if pg.Platform {
		active, title = "history", p.T("order.list.title.platform")
	}
	var err error
	if pg.ConsolePage, err = s.console(r, active, title, components.Crumb{Label: title}); err != nil {
		return err
	}
	rows, next, err := s.orderRows(r, by, f)
	if err != nil {
		return err
	}
	for _, row := range rows {
		pg.Rows = append(pg.Rows, s.orderRow(pg.Page, row, pg.Platform))
	}
	pg.choices(s, p, by)
	pg.Reload = f.href()
	if f.Cursor != "" {
		pg.First = orderFilter{Show: f.Show, Kind: f.Kind, Platform: f.Platform}.href()
	}
	if next != "" {
		f.Cursor = next
		pg.More = f.href()
	}
	aw, err := s.Notice.Awaiting(ctx, by)
	if err != nil {
		return err
	}
	for i, show := range pg.shows() {
		if show == showOverdue && aw.Overdue > 0 {
			pg.Tabs[i].Count = upToMany(p, aw.Overdue)
		}
	}
	return s.render(w, r, http.StatusOK, ordersView(pg))
}

// maxListRounds bounds how often the list reads on when what a clock shows now,
// which no index knows, leaves a page empty.
const maxListRounds = 5

func (s *Server) orderRows(r *http.Request, by party.Actor, f orderFilter) (rows []notice.Row, next string, err error) {
	in := f.room()
	for range maxListRounds {
		if rows, next, err = s.Notice.List(r.Context(), by, in); err != nil || len(rows) > 0 || next == "" {
			return rows, next, err
		}
		in.Cursor = next
	}
	return rows, next, nil
}

// shows are the tabs that the reader has: a platform sees no decision before
// it was sent.
func (pg *OrdersPage) shows() []string {
	if pg.Platform {
		return []string{showAll, showOpen, showOverdue, showDone}
	}
	return []string{showAll, showDeciding, showAwaits, showOpen, showOverdue, showDone}
}

// choices decides tabs, filters and what an empty list says.
func (pg *OrdersPage) choices(s *Server, p *i18n.Printer, by party.Actor) {
	f := pg.Filter
	for _, show := range pg.shows() {
		key := show
		if key == showAll {
			key = "all"
		}
		pg.Tabs = append(pg.Tabs, components.Tab{
			Label: p.T("order.tab." + key), Href: orderFilter{Show: show, Kind: f.Kind, Platform: f.Platform}.href(), Active: f.Show == show,
		})
	}
	for _, k := range []notes.NoticeKind{notes.Referral, notes.RemovalOrder} {
		pg.Kinds = append(pg.Kinds, components.Choice{Value: string(k), Label: p.T("policy.kind." + string(k)), Checked: f.Kind == string(k)})
	}
	if by.PartyKind != party.Platform {
		for _, pl := range s.Platforms.All() {
			pg.Platforms = append(pg.Platforms, components.Choice{Value: pl.Key, Label: pl.Name, Checked: f.Platform == pl.Key})
		}
		slices.SortFunc(pg.Platforms, func(a, b components.Choice) int { return compareFold(a.Label, b.Label) })
	}
	pg.Empty = components.Empty{Icon: "file-text", Title: p.T("order.empty.title"), Text: p.T("order.empty.text")}
	if pg.Platform {
		pg.Empty.Text = p.T("order.empty.platform")
	}
	if f != (orderFilter{}) {
		pg.Empty = components.Empty{Icon: "list-filter", Title: p.T("order.none.title"), Text: p.T("order.none.text"), Action: p.T("order.none.action"), Href: "/orders"}
	}
}

// orderRow decides everything that a line of the list shows.
func (s *Server) orderRow(page components.Page, row notice.Row, platform bool) OrderRow {
	p := page.P
	out := OrderRow{
		Href: "/orders/" + string(row.ID), Ref: row.Ref, Icon: noticeIcon(row.Kind), Title: noticeTitle(p, row), Other: row.AddresseeName,
		Chips: noticeChips(p, row, page.Now)[:1], At: lastStep(row.Notice),
		Done: p.T("order.done.of", "Done", p.Number(int64(row.Progress.Answered+row.Progress.Verified)), "All", p.Number(int64(row.ItemCount))),
	}
	if row.Deadline == notice.Overdue || row.Deadline == notice.IsUnreceived {
		out.Chips = []components.Chip{deliveryChip(p, row)} // the clock beside it says that it is late
	}
	if platform {
		out.Other = row.IssuerName
	}
	for _, g := range row.Grounds {
		out.Grounds = append(out.Grounds, components.GroundOf(string(g)))
	}
	if d, ok := noticeDeadline(p, row, page.Now); ok {
		out.Deadline = &d
	}
	return out
}
