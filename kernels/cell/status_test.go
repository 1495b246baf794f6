package cell

import "testing"

func TestStatus(t *testing.T) {
	for _, row := range []struct{ text, status, indent string }{
		{"", "complete", ""},
		{"x := 3", "complete", ""},
		{"a, b", "complete", ""},
		{"package main\nfunc main() {\n}", "complete", ""},
		{"for {", "incomplete", "    "},
		{"func f() {\n\tif x {", "incomplete", "        "},
		{"f(", "incomplete", "    "},
		{"import (", "incomplete", "    "},
		{"x :=", "incomplete", "    "},
		{"x := 1 +", "incomplete", "    "},
		{"x.", "incomplete", "    "},
		{"x := `a", "incomplete", "    "},
		{"/* a", "incomplete", "    "},
		{"func f()", "incomplete", "    "},
		{"}", "invalid", ""},
		{"x y", "invalid", ""},
		{"x := \"a", "invalid", ""},
		{"func f()\nx := 3", "invalid", ""},
	} {
		if status, indent := Status(row.text); status != row.status || indent != row.indent {
			t.Errorf("%q is %s, %q, want %s, %q", row.text, status, indent, row.status, row.indent)
		}
	}
}
