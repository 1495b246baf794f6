package cell

import (
	"errors"
	"strings"
)

// Status reports whether a cell could be run as it is: it is "complete",
// "incomplete" if more lines could make it so, or "invalid". A next line of an
// incomplete one begins with indent.
func Status(text string) (status, indent string) {
	r := &rewriter{u: &Unit{}}
	r.text, _ = clean(text)
	parts, err := split("", r.text)
	for _, p := range parts {
		switch {
		case err != nil:
		case p.kind == statement || p.kind == varDecl:
			if _, _, err = r.parse(p, "func _() {\n", "\n}"); err != nil && expressions(r.text[p.start:p.end]) > 1 {
				err = nil
			}
		case p.kind != packageClause:
			_, _, err = r.parse(p, "", "")
		}
	}
	var e *Error
	switch {
	case err == nil:
		return "complete", ""
	case errors.As(err, &e) && e.Incomplete:
		return "incomplete", strings.Repeat("    ", max(1, depth(r.text))) // terminals show a tab as ^I
	}
	return "invalid", ""
}

// depth is the number of brackets that are open at the end of a text.
func depth(text string) int { return len(open(text)) }
