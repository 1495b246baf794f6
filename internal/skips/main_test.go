package main

import (
	"strings"
	"testing"
)

const module = "github.com/camlab-go/camlab"

// log is the output of go test -json for a test that passed and one that was skipped.
const log = `{"Action":"output","Package":"` + module + `/camlib/cam","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"` + module + `/camlib/cam","Test":"TestA"}
{"Action":"output","Package":"` + module + `/camlib/cam","Test":"TestB","Output":"    a_test.go:3: needs XLA: no plugin\n"}
{"Action":"output","Package":"` + module + `/camlib/cam","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"` + module + `/camlib/cam","Test":"TestB"}
`

func TestRun(t *testing.T) {
	fail := log + `{"Action":"fail","Package":"` + module + `/camlib/cam","Test":"TestC"}` + "\n"
	for _, row := range []struct {
		name, log, list string
		exact           bool
		want            string // part of the error; "" is none
	}{
		{"as expected", log, "# why\ncamlib/cam TestB needs XLA", true, ""},
		{"not expected", log, "", false, "camlib/cam TestB was skipped: needs XLA: no plugin"},
		{"another reason", log, "camlib/cam TestB needs a browser", false, "TestB was skipped: needs XLA"},
		{"did not happen", log, "camlib/cam TestB needs XLA\ncamlib/cam TestA needs XLA", true, "camlib/cam TestA was not skipped"},
		{"need not happen", log, "camlib/cam TestB needs XLA\ncamlib/cam TestA needs XLA", false, ""},
		{"all that begin so", log, "camlib/cam Test* needs XLA", true, ""},
		{"not those of another folder", log, "camlib Test* needs XLA", false, "TestB was skipped"},
		{"on some machines", log, "camlib/cam TestB needs XLA\n? camlib/cam TestA needs XLA", true, ""},
		{"failure", fail, "camlib/cam TestB needs XLA", false, "1 failed: camlib/cam TestC"},
		{"failure beside a skip", fail, "", false, "1 failed: camlib/cam TestC\nother skips than expected:\ncamlib/cam TestB was skipped"},
		{"nothing ran", "", "", false, "no test passed"},
		{"a line too short", log, "camlib/cam TestB", false, "want folder, test and reason"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out strings.Builder
			err := run(strings.NewReader(row.log), &out, row.list, row.exact)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}
