package components

import (
	"fmt"
	"strconv"
)

// A Series is one kind of figure in a chart, told apart by pattern as well as
// by colour.
type Series struct {
	Name string
	Look SeriesLook
}

// A SeriesLook is how the bars of a series are drawn.
type SeriesLook string

// The looks.
const (
	LookSolid  SeriesLook = "solid"  // brand
	LookHatch  SeriesLook = "hatch"  // orange with stripes, as for refused
	LookDashed SeriesLook = "dashed" // outline, as for what is still open
)

// A Bar is one stack: a figure for each series.
type Bar struct {
	Label  string // below the axis; "" leaves it out
	Name   string // said in full, in the table and to screen readers
	Values []int64
}

// A BarChart is stacked bars with the same figures in a table below it. A
// phone gets the last Phone bars, so that no text falls under 11 px.
type BarChart struct {
	Label  string // a sentence
	Unit   string // head of the table's first column
	Series []Series
	Bars   []Bar
	Phone  int
	Format func(int64) string
}

const (
	chartHeight = 232
	chartFoot   = 30
	chartPlot   = 172
	barWidth    = 32
	barStep     = 49
)

// A drawing is a chart in SVG units, everything computed.
type drawing struct {
	ID     string
	Width  int
	Grid   []gridLine
	Blocks []block
	Labels []text
}

type gridLine struct{ Path, X, Y, Value string }

type block struct {
	X, Y, Width, Height string
	Look                SeriesLook
	Title               string
}

type text struct{ X, Y, Text string }

// draw lays the last n bars out; id keeps the drawings of a page apart.
func (c BarChart) draw(id string, n int) drawing {
	bars := c.Bars[max(0, len(c.Bars)-n):]
	left := 36
	d := drawing{ID: id, Width: left + 8 + len(bars)*barStep + 8}
	top := c.top()
	for i := int64(0); i <= 4; i++ {
		y := float64(chartHeight-chartFoot) - float64(i)/4*chartPlot
		d.Grid = append(d.Grid, gridLine{
			Path: fmt.Sprintf("M%d %.1fH%d", left, y, d.Width), X: strconv.Itoa(left - 8), Y: fmt.Sprintf("%.1f", y+4), Value: c.Format(top * i / 4),
		})
	}
	for i, b := range bars {
		d.addBar(c, b, left+8+i*barStep, top)
	}
	return d
}

func (d *drawing) addBar(c BarChart, b Bar, x int, top int64) {
	y := float64(chartHeight - chartFoot)
	for i, v := range b.Values {
		if v == 0 {
			continue
		}
		h := float64(v) / float64(top) * chartPlot
		y -= h
		d.Blocks = append(d.Blocks, block{
			X: strconv.Itoa(x), Y: fmt.Sprintf("%.1f", y), Width: strconv.Itoa(barWidth), Height: fmt.Sprintf("%.1f", max(h-1.5, 1)),
			Look: c.Series[i].Look, Title: b.Name + ": " + c.Format(v) + " " + c.Series[i].Name,
		})
	}
	if b.Label != "" {
		d.Labels = append(d.Labels, text{strconv.Itoa(x + barWidth/2), strconv.Itoa(chartHeight - 10), b.Label})
	}
}

// top is the axis's end: the smallest round number, divisible by four, above
// every stack.
func (c BarChart) top() int64 {
	var highest int64 = 1
	for _, b := range c.Bars {
		var sum int64
		for _, v := range b.Values {
			sum += v
		}
		highest = max(highest, sum)
	}
	for step := int64(1); ; step *= 10 {
		for _, m := range []int64{4, 8, 10, 12, 16, 20, 24, 32, 40} {
			if m*step >= highest && m*step%4 == 0 {
				return m * step
			}
		}
	}
}

// A Share is a part of a whole in a proportional bar.
type Share struct {
	Name  string
	Value int64
	Look  ShareLook
	Text  string // the figure, formatted
	Part  string // per cent, formatted
}

// A ShareLook is the fill of a share.
type ShareLook string

// The fills, from what ended to what binds.
const (
	ShareClosed ShareLook = "closed"
	ShareOpen   ShareLook = "open"
	ShareAsked  ShareLook = "asked"
	ShareBound  ShareLook = "bound"
)

func (l ShareLook) fill() string {
	switch l {
	case ShareClosed:
		return "var(--neutral-bd)"
	case ShareAsked:
		return "var(--teal-bd)"
	case ShareBound:
		return "var(--brand)"
	default:
		return "var(--sunken)"
	}
}

func (l ShareLook) ink() string {
	if l == ShareBound {
		return "var(--on-brand)"
	}
	if l == ShareOpen {
		return "var(--ink)"
	}
	return "var(--share-ink)"
}

// A shareRect is a share laid out, in per cent of the width.
type shareRect struct {
	X, Width, Middle string
	Share
	Wide bool // has room for its figure
}

// Shares is a proportional bar.
type Shares struct {
	Label string
	Parts []Share
}

func (s Shares) rects() []shareRect {
	var whole int64
	for _, p := range s.Parts {
		whole += p.Value
	}
	out := make([]shareRect, 0, len(s.Parts))
	var x float64
	for i, p := range s.Parts {
		w := float64(p.Value) / float64(max(whole, 1)) * 100
		gap := 0.4
		if i == len(s.Parts)-1 {
			gap = 0
		}
		out = append(out, shareRect{percent(x), percent(max(w-gap, 0)), percent(x + w/2), p, w >= 6})
		x += w
	}
	return out
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) + "%" }

func itoa(n int) string { return strconv.Itoa(n) }
