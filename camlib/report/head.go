package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/camlab-go/camlab/camlib/figure"
)

//go:embed page.html page.css page.js
var files embed.FS

// head is what the templates before and after the images take.
type head struct {
	*Page
	Generator        template.HTML
	Policy           string
	Style            template.CSS
	Script           template.JS
	Labeled          bool
	Right, Of        int      // of the images that have a label
	Predicts, Labels []string // the classes that there are
	Signed, Unsigned bool     // kinds of methods that there are
	Wide             string   // class of the list, by the number of tiles of an image

	predicted, labels map[string]int // the classes' numbers
}

func (p *Page) head() *head {
	style, script := read("page.css")+gradients(), read("page.js")
	h := &head{Page: p, Generator: Generator, Style: template.CSS(style), Script: template.JS(script)}
	// Nothing is fetched, whatever the page holds; no other script runs.
	h.Policy = fmt.Sprintf("default-src 'none'; img-src data:; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'", hash(style), hash(script))
	var predicted, labels []string
	tiles := 0
	for _, im := range p.Images {
		predicted, tiles = append(predicted, im.Predicted), max(tiles, 1+len(im.Maps))
		if im.Label != "" {
			labels = append(labels, im.Label)
			h.Of++
			if im.Label == im.Predicted {
				h.Right++
			}
		}
		for _, m := range im.Maps {
			h.Signed = h.Signed || p.Methods[m.Method].Signed
			h.Unsigned = h.Unsigned || !p.Methods[m.Method].Signed
		}
	}
	h.Labeled = h.Of > 0
	h.Predicts, h.predicted = numbered(predicted)
	h.Labels, h.labels = numbered(labels)
	h.Wide = fmt.Sprintf("tiles%d", min(tiles, 5))
	return h
}

// numbered returns the names in order, each once, and their numbers.
func numbered(names []string) ([]string, map[string]int) {
	slices.Sort(names)
	names = slices.Compact(names)
	numbers := make(map[string]int)
	for i, name := range names {
		numbers[name] = i
	}
	return names, numbers
}

func read(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// hash is how a content security policy names what is allowed between two tags.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// gradients are the color bars as CSS.
func gradients() string {
	var b strings.Builder
	for _, kind := range []struct {
		name   string
		colors figure.Colormap
	}{{"signed", figure.CoolWarm}, {"unsigned", figure.Viridis}} {
		fmt.Fprintf(&b, ".bar.%s { background: linear-gradient(to right", kind.name)
		const stops = 24
		for i := range stops + 1 {
			c := kind.colors.At(float64(i) / stops)
			fmt.Fprintf(&b, ", #%02x%02x%02x", c.R, c.G, c.B)
		}
		b.WriteString(") }\n")
	}
	return b.String()
}

// number writes a value of a map or a score with three digits.
func number(v any) string {
	switch v := v.(type) {
	case float32:
		return strconv.FormatFloat(float64(v), 'g', 3, 32)
	case float64:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return fmt.Sprint(v)
}

// thousands writes 12345 as 12,345.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
