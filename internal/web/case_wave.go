package web

import (
	"strconv"

	"github.com/tangkal/tangkal/internal/casework"
	"github.com/tangkal/tangkal/internal/i18n"
)

// A WavePanel shows that very many reports came at once and read alike, so that
// whoever judges sees a campaign for what it is (threat-model T04).
type WavePanel struct {
	What  string // 412 reports in 10 minutes, 96 % of them alike
	Means string // as how many they count
	Bars  []WaveBar
	Width string // of the picture, in its own units
}

// A WaveBar is ten minutes of the picture, in its units; its height is 32.
type WaveBar struct{ X, Y, Height, AlikeY, AlikeHeight string }

// waveHigh is the height of the picture, waveStep the width of ten minutes.
const (
	waveHigh = 32
	waveStep = 10
)

// wavePanel returns the picture of a case's highest wave, nil if none came.
func wavePanel(p *i18n.Printer, v casework.View) *WavePanel {
	if len(v.Wave) == 0 {
		return nil
	}
	top := v.Wave[0]
	for _, s := range v.Wave {
		if s.Wave() && s.Reports > top.Reports || !top.Wave() {
			top = s
		}
	}
	out := &WavePanel{
		What:  p.N("triage.wave", top.Reports, "Share", p.Percent(int64(top.Alike), int64(top.Reports))),
		Means: p.N("triage.wave.means", v.Case.Voices, "Reports", p.Number(int64(v.Case.ReportCount))),
	}
	first, width := v.Wave[0].At, 0
	for _, s := range v.Wave {
		x := int(s.At.Sub(first)/casework.SlotOf) * waveStep
		high := func(n int) int { return max(1, n*waveHigh/max(1, top.Reports)) }
		all, alike := min(waveHigh, high(s.Reports)), min(waveHigh, high(s.Alike))
		out.Bars = append(out.Bars, WaveBar{strconv.Itoa(x), strconv.Itoa(waveHigh - all), strconv.Itoa(all), strconv.Itoa(waveHigh - alike), strconv.Itoa(alike)})
		width = x + waveStep
	}
	out.Width = strconv.Itoa(width)
	return out
}
