package cell

import "testing"

func TestStatus(t *testing.T) {
	for _, row := range []struct{ text, status, indent string }{
		{"", "complete", ""},
		{"x := 3", "complete", ""},
		{"a, b", "complete", ""},
		{"package main\nfunc main() {\n}", "complete", ""},
		{"for {", "incomplete", "\t"},
		{"func f() {\n\tif x {", "incomplete", "\t\t"},
		{"f(", "incomplete", "\t"},
		{"import (", "incomplete", "\t"},
		{"x :=", "incomplete", "\t"},
		{"x := 1 +", "incomplete", "\t"},
		{"x.", "incomplete", "\t"},
		{"x := `a", "incomplete", "\t"},
		{"/* a", "incomplete", "\t"},
		{"func f()", "incomplete", "\t"},
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
