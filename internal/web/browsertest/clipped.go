package browsertest

import (
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Clipped returns the texts on the page of which somebody sees the upper or
// lower part only: they stick out of the button that they stand in, or a box
// cuts off what does not fit into it. What can be scrolled to is not cut, nor
// what a box shortens to a number of lines, nor what is only read aloud.
func (p *Page) Clipped() []string {
	p.t.Helper()
	var cut []string
	ready := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	p.Run(chromedp.Evaluate(`document.fonts.ready.then(() => true)`, nil, ready), chromedp.Evaluate(clipped, &cut))
	return cut
}

// clipped looks at every text that is seen. Two pixels are what a font is
// higher than its line.
const clipped = `(() => {
	const out = [], range = document.createRange();
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const outside = (text, box) => text.top < box.top - 2 || text.bottom > box.bottom + 2;
	const aloud = (box) => { // one pixel that cuts off all there is: for screen readers
		const size = box.getBoundingClientRect();
		return size.width <= 1 && size.height <= 1 && getComputedStyle(box).overflowY !== "visible";
	};
	const cutBy = (el, text) => {
		for (let box = el; box && box !== document.body; box = box.parentElement) if (aloud(box)) return false;
		const button = el.closest("button, .btn");
		if (button && outside(text, button.getBoundingClientRect())) return true;
		for (let box = el; box && box !== document.body; box = box.parentElement) {
			const style = getComputedStyle(box);
			if (style.webkitLineClamp !== "none" || ["auto", "scroll"].includes(style.overflowY)) return false;
			if (["hidden", "clip"].includes(style.overflowY) && outside(text, box.getBoundingClientRect())) return true;
			if (style.position === "fixed") return false;
		}
		return false;
	};
	while (texts.nextNode()) {
		const node = texts.currentNode, el = node.parentElement;
		if (!node.data.trim() || el.closest("script, style, template, option, textarea, svg, .sr-only") || !el.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
		range.selectNodeContents(node);
		const text = range.getBoundingClientRect();
		if (text.height > 0 && cutBy(el, text)) out.push(node.data.trim().slice(0, 60));
	}
	return out;
})()`
