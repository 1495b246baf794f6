package notebooks_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

var (
	element = regexp.MustCompile(`<img\b[^>]*>`)
	altText = regexp.MustCompile(`\balt="([^"]+)"`)
)

// undescribed lists the pictures in a notebook's outputs that have no alternative
// text, or none but their size.
func undescribed(cells []cell) (missing []string) {
	poor := func(alt string) bool { return alt == "" || strings.HasPrefix(alt, "picture") }
	for i, c := range cells {
		for k, out := range c.Outputs {
			where := fmt.Sprintf("cell %d, output %d", i+1, k+1)
			for mime := range out.Data {
				if strings.HasPrefix(mime, "image/") && poor(out.Metadata[mime].Alt) {
					missing = append(missing, where+": "+mime)
				}
			}
			var html []string
			if text, ok := out.Data["text/html"]; ok && json.Unmarshal(text, &html) != nil {
				html = []string{string(text)}
			}
			for _, img := range element.FindAllString(strings.Join(html, ""), -1) {
				if alt := altText.FindStringSubmatch(img); alt == nil || poor(alt[1]) {
					missing = append(missing, where+": "+img[:min(len(img), 60)])
				}
			}
		}
	}
	return missing
}

func TestNotebookUndescribed(t *testing.T) {
	parse := func(output string) []cell {
		var c cell
		if err := json.Unmarshal([]byte(`{"outputs": [`+output+`]}`), &c); err != nil {
			t.Fatal(err)
		}
		return []cell{c}
	}
	for _, row := range []struct {
		name, output string
		missing      int
	}{
		{"described", `{"data": {"image/png": "x"}, "metadata": {"image/png": {"alt": "a frog"}}}`, 0},
		{"no metadata", `{"data": {"image/png": "x"}, "metadata": {}}`, 1},
		{"another picture's", `{"data": {"image/jpeg": "x"}, "metadata": {"image/png": {"alt": "a frog"}}}`, 1},
		{"its size only", `{"data": {"image/png": "x"}, "metadata": {"image/png": {"alt": "picture of 3×2 pixels"}}}`, 1},
		{"in HTML", `{"data": {"text/html": ["<p><img alt=\"a frog\"\n", " src=\"x\"></p>"]}}`, 0},
		{"in HTML, two without", `{"data": {"text/html": ["<img src=\"x\"><img alt=\"\" src=\"y\">"]}}`, 2},
		{"text", `{"name": "stdout", "text": ["<img>"]}`, 0},
	} {
		if got := undescribed(parse(row.output)); len(got) != row.missing {
			t.Errorf("%s: %d without text: %v, want %d", row.name, len(got), got, row.missing)
		}
	}
}

// TestNotebookPicturesInBrowser opens a saved notebook in JupyterLab, in the dark
// theme and in a narrow window, and looks at a picture's alternative text and at a
// table that was printed; then it runs the cell and looks again.
func TestNotebookPicturesInBrowser(t *testing.T) {
	t.Parallel()
	const table = "layer                    output        parameters\nglobal average pooling   [128]         0\n"
	const saved, live = "a frog at the left", "CAM (logit): largest at the lower right (4 in row 2, column 2 of 2×2)"
	source := `fmt.Print(` + fmt.Sprintf("%q", table) + `)
m := Must(images.NewMap(2, 2, []float32{1, 2, 3, 4}))
figure.HeatMap(m, figure.Shading{Scale: Must(figure.SequentialOf(m)), Unit: "CAM (logit)"}, 40)`
	m := images.Map{H: 1, W: 2, Values: []float32{0, 1}}
	scale, err := figure.SequentialOf(m)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := figure.HeatMap(m, figure.Shading{Scale: scale}, 40)
	if err != nil {
		t.Fatal(err)
	}
	png, err := figure.PNGBytes(picture)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{
		"nbformat": 4, "nbformat_minor": 5,
		"metadata": map[string]any{"kernelspec": map[string]string{"name": "camlab-xla-cpu", "display_name": "Go CAM · XLA CPU", "language": "go"}},
		"cells": []any{map[string]any{
			"cell_type": "code", "id": "one", "execution_count": 1, "metadata": map[string]any{}, "source": source,
			"outputs": []any{
				map[string]any{"output_type": "stream", "name": "stdout", "text": table},
				map[string]any{
					"output_type": "display_data", "data": map[string]any{"image/png": base64.StdEncoding.EncodeToString(png)},
					"metadata": map[string]any{"image/png": map[string]string{"alt": saved}},
				},
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := startLab(t)
	l.write(filepath.Join(l.root, "pictures.ipynb"), data)
	l.open("pictures.ipynb")
	l.do(`jupyterapp.commands.execute("apputils:change-theme", {theme: "JupyterLab Dark"})`)
	narrow := emulation.SetDeviceMetricsOverrideParams{Width: 400, Height: 900, DeviceScaleFactor: 1}
	if _, err := chromedp.Call(l.tab, emulation.SetDeviceMetricsOverride, narrow); err != nil {
		t.Fatal(err)
	}
	for _, alt := range []string{saved, live} {
		if alt == live {
			l.do(`jupyterapp.commands.execute("notebook:run-all-cells")`)
		}
		l.is("a picture that is "+alt, fmt.Sprintf(`drawn(codeCells()[0].node).some(e => e.alt === %q)`, alt))
		l.is("the table's lines to stay lines", `(() => {
			const pre = codeCells()[0].node.querySelector('[data-mime-type="application/vnd.jupyter.stdout"] pre')
			const range = document.createRange()
			range.selectNodeContents(pre)
			const tops = new Set([...range.getClientRects()].map(r => Math.round(r.top)))
			return pre.scrollWidth > pre.clientWidth && tops.size === 2
		})()`)
	}
	t.Log(l.screenshot("pictures_dark"))
	if alts, err := eval[[]string](l, `drawn(nb().node).map(e => e.alt)`); err != nil || !slices.Equal(alts, []string{live}) {
		t.Errorf("alternative texts %q, %v, want %q", alts, err, live)
	}
}
