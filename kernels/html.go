package kernels

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// writeHTML writes dir/stem.html, a page that needs no network: pictures are
// in it with their alternative text, equations are MathML, and the scripts that nbconvert would load from
// elsewhere (MathJax, require.js, mermaid) are gone.
func (e Env) writeHTML(ctx context.Context, data []byte, stem, dir, tmp string) (string, error) {
	data, equations, err := e.takeEquations(ctx, data)
	if err != nil {
		return "", fmt.Errorf("equations: %w", err)
	}
	source := filepath.Join(tmp, stem+".ipynb")
	if err := os.WriteFile(source, data, 0o644); err != nil {
		return "", err
	}
	templates := filepath.Join(tmp, "templates")
	if _, err := writeFolder(pageTemplate, "page", filepath.Join(templates, "camlab")); err != nil {
		return "", err
	}
	if err := e.nbconvert(ctx, nil, "--to", "html", "--template", "camlab", "--TemplateExporter.extra_template_basedirs="+templates,
		"--embed-images", "--output-dir", tmp, source); err != nil {
		return "", err
	}
	page, err := os.ReadFile(filepath.Join(tmp, stem+".html"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, stem+".html")
	return path, os.WriteFile(path, putEquations(dropRemoteScripts(page), equations), 0o644)
}

var (
	script = regexp.MustCompile(`(?s)<script\b[^>]*>.*?</script>`)
	remote = regexp.MustCompile(`https?://|MathJax`)
)

// dropRemoteScripts takes out of a page the scripts that load another one, or
// set up one that is loaded.
func dropRemoteScripts(page []byte) []byte {
	return script.ReplaceAllFunc(page, func(s []byte) []byte {
		if remote.Match(s) {
			return nil
		}
		return s
	})
}

// mathOrCode finds equations in Markdown. What may look like one comes first, to be
// passed over: code blocks, code, a dollar sign that is written \$. Then, as
// Jupyter has it: $$…$$, an environment, and $…$ with no space just inside.
var mathOrCode = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`|\\\\\\$|" +
	`\$\$(.+?)\$\$|` +
	`(\\begin\{(?:equation|align)\*?\}.+?\\end\{(?:equation|align)\*?\})|` +
	`\$([^\s$](?:[^$\n]*[^\s$\\])?)\$`)

// convertLaTeX converts a list of equations, [LaTeX, display or inline], given as
// JSON on standard input. One that latex2mathml does not understand becomes
// null, as does one with an alignment mark left over.
const convertLaTeX = `
import json, sys
from latex2mathml.converter import convert
def one(latex, display):
    try:
        m = convert(latex, display=display)
    except Exception:
        return None
    return None if "<mi>&</mi>" in m else m
json.dump([one(*e) for e in json.load(sys.stdin)], sys.stdout)
`

// takeEquations replaces the equations in a notebook's Markdown by place
// holders and returns their MathML: nbconvert would take MathML apart. Those
// that cannot be converted stay as LaTeX, readable if not pretty.
func (e Env) takeEquations(ctx context.Context, data []byte) ([]byte, []string, error) {
	var nb map[string]any
	if err := json.Unmarshal(data, &nb); err != nil {
		return nil, nil, err
	}
	var texts []markdownCell
	cells, _ := nb["cells"].([]any)
	for _, c := range cells {
		if cell, ok := c.(map[string]any); ok && cell["cell_type"] == "markdown" {
			texts = append(texts, markdownCell{cell, sourceText(cell["source"])})
		}
	}
	var equations [][2]string
	for _, t := range texts {
		for _, m := range mathOrCode.FindAllStringSubmatch(t.text, -1) {
			if latex, display, ok := equation(m); ok {
				equations = append(equations, [2]string{latex, display})
			}
		}
	}
	if len(equations) == 0 {
		return data, nil, nil
	}
	converted, err := e.toMathML(ctx, equations)
	if err != nil {
		return nil, nil, err
	}
	var mathML []string
	next := 0
	for _, t := range texts {
		t.cell["source"] = mathOrCode.ReplaceAllStringFunc(t.text, func(s string) string {
			if _, _, ok := equation(mathOrCode.FindStringSubmatch(s)); !ok {
				return s
			}
			ml := converted[next]
			next++
			if ml == nil {
				return s
			}
			mathML = append(mathML, *ml)
			return fmt.Sprintf("camlab-equation-%d-", len(mathML)-1)
		})
	}
	data, err = json.Marshal(nb)
	return data, mathML, err
}

// toMathML runs latex2mathml; the result is nil for what it cannot convert.
func (e Env) toMathML(ctx context.Context, equations [][2]string) ([]*string, error) {
	in, err := json.Marshal(equations)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, e.Bin("python"), "-c", convertLaTeX)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("latex2mathml: %w; run `camlab setup`", err)
	}
	var converted []*string
	if err := json.Unmarshal(out, &converted); err != nil {
		return nil, err
	}
	if len(converted) != len(equations) {
		return nil, fmt.Errorf("latex2mathml: %d results for %d equations", len(converted), len(equations))
	}
	return converted, nil
}

var (
	holder = regexp.MustCompile(`camlab-equation-(\d+)-`)
	anchor = regexp.MustCompile(`(?:id|href)="[^"]*"`)
)

// putEquations puts the equations in the place of their holders, and takes the
// holders out of the anchors that nbconvert makes of headings.
func putEquations(page []byte, equations []string) []byte {
	page = anchor.ReplaceAllFunc(page, func(s []byte) []byte { return holder.ReplaceAll(s, nil) })
	return holder.ReplaceAllFunc(page, func(s []byte) []byte {
		n, err := strconv.Atoi(string(holder.FindSubmatch(s)[1]))
		if err != nil || n >= len(equations) {
			return s
		}
		return []byte(equations[n])
	})
}

type markdownCell struct {
	cell map[string]any
	text string
}

// equation returns the LaTeX of a match of mathOrCode, and whether it stands in a
// line of its own ("block") or in the text ("inline").
func equation(match []string) (latex, display string, ok bool) {
	switch {
	case match[1] != "":
		return match[1], "block", true
	case match[2] != "":
		return match[2], "block", true
	case match[3] != "":
		return match[3], "inline", true
	}
	return "", "", false
}

func sourceText(source any) string {
	switch s := source.(type) {
	case string:
		return s
	case []any:
		var b strings.Builder
		for _, line := range s {
			text, _ := line.(string)
			b.WriteString(text)
		}
		return b.String()
	}
	return ""
}
