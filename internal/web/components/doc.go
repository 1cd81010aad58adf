// Package components holds the parts pages are made of, as templ components,
// and the two frames around them: Public and Console.
//
// A component that has words of its own takes the printer first; everything
// else it shows is in its struct, decided and said by the caller. Components
// range and branch, they do not compute. None writes a style attribute or a
// script: looks are classes, figures are SVG attributes, behaviour hangs on
// data attributes that static/js reads.
package components
