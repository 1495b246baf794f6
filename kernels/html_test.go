package kernels

import (
	"strings"
	"testing"
)

func TestPageNeedsNoNetwork(t *testing.T) {
	page := `<script src="https://cdn.example/x.js"></script><script>local()</script><script type="text/x-mathjax-config">MathJax.Hub</script>` +
		`<h1 id="Why-camlab-equation-0-"><a href="#Why-camlab-equation-0-">camlab-equation-0-</a></h1>camlab-equation-7-`
	got := string(putEquations(dropRemoteScripts([]byte(page)), []string{"<math/>"}))
	if want := `<script>local()</script><h1 id="Why-"><a href="#Why-"><math/></a></h1>camlab-equation-7-`; got != want {
		t.Errorf("page is %s\nwant %s", got, want)
	}
}

func TestEquationsFound(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"an $x_i$ inline", "inline x_i"},
		{"$$a\n= b$$", "block a\n= b"},
		{"\\begin{equation}L\\end{equation}", "block \\begin{equation}L\\end{equation}"},
		{"costs $5 and $10", ""},
		{"costs \\$5 and 6$", ""},
		{"code `$x$` and\n```\n$$y$$\n```", ""},
	} {
		var got []string
		for _, m := range mathOrCode.FindAllStringSubmatch(row.text, -1) {
			if latex, display, ok := equation(m); ok {
				got = append(got, display+" "+latex)
			}
		}
		if strings.Join(got, "|") != row.want {
			t.Errorf("%q: equations %q, want %q", row.text, got, row.want)
		}
	}
}
