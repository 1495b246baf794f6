package kernels

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// MaxNotebook is the size in bytes up to which a notebook with its outputs is
// pleasant on GitHub and in a review.
const MaxNotebook = 1 << 20

// failure matches what GoNB leaves on a cell's standard error when the cell
// panics, is killed, or runs a ! command that fails. Jupyter takes all of these
// for success (GoNB v0.11.3).
var failure = regexp.MustCompile(`(?m)^(panic: |exit status [1-9]|signal: ).*`)

// CheckNotebook is the gate that an executed notebook must pass: no cell
// panicked, failed to compile or ran a failing command; the cells with code
// were executed once each, from top to bottom; the file is at most MaxNotebook
// bytes. The error has a line for every offence, with the number of the code
// cell, counted from 1, and the offending text.
func CheckNotebook(data []byte) error {
	nb, err := parseNotebook(data)
	if err != nil {
		return err
	}
	var errs []error
	offence := func(n int, format string, args ...any) {
		errs = append(errs, fmt.Errorf("code cell %d: %s", n, fmt.Sprintf(format, args...)))
	}
	count := 0
	for i, cell := range nb.codeCells() {
		n := i + 1
		if strings.TrimSpace(string(cell.Source)) == "" {
			continue // Jupyter does not execute it
		}
		count++
		switch {
		case cell.ExecutionCount == nil:
			offence(n, "not executed, want execution count %d", count)
		case *cell.ExecutionCount != count:
			offence(n, "execution count %d, want %d: run all cells in a fresh kernel", *cell.ExecutionCount, count)
		}
		var stderr strings.Builder
		for _, out := range cell.Outputs {
			switch {
			case out.Type == "error":
				offence(n, "%s: %s", out.EName, firstLine(plainText(out.Value)))
			case out.Type == "stream" && out.Name == "stderr":
				stderr.WriteString(string(out.Text))
			}
		}
		if hit := failure.FindString(stderr.String()); hit != "" {
			offence(n, "%s", strings.TrimSpace(hit))
		}
	}
	if len(data) > MaxNotebook {
		errs = append(errs, fmt.Errorf("%d bytes, want at most %d", len(data), MaxNotebook))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("kernels: notebook: %w", err)
	}
	return nil
}

// notebook is the part of Jupyter's format (nbformat 4) that is read here.
type notebook struct {
	Cells []cell `json:"cells"`
}

type cell struct {
	Type           string    `json:"cell_type"`
	Source         multiline `json:"source"`
	ExecutionCount *int      `json:"execution_count"`
	Outputs        []output  `json:"outputs"`
	Metadata       struct {
		Tags []string `json:"tags"`
	} `json:"metadata"`
}

type output struct {
	Type  string               `json:"output_type"`
	Name  string               `json:"name"`  // of a stream
	Text  multiline            `json:"text"`  // of a stream
	EName string               `json:"ename"` // of an error
	Value string               `json:"evalue"`
	Data  map[string]multiline `json:"data"` // of a picture, by MIME type
}

func parseNotebook(data []byte) (*notebook, error) {
	var nb notebook
	if err := json.Unmarshal(data, &nb); err != nil {
		return nil, fmt.Errorf("kernels: notebook: %w", err)
	}
	return &nb, nil
}

func (nb *notebook) codeCells() []cell {
	var cells []cell
	for _, c := range nb.Cells {
		if c.Type == "code" {
			cells = append(cells, c)
		}
	}
	return cells
}

// multiline is a text that the format stores whole or as a list of lines.
type multiline string

func (m *multiline) UnmarshalJSON(data []byte) error {
	var lines []string
	if err := json.Unmarshal(data, &lines); err == nil {
		*m = multiline(strings.Join(lines, ""))
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*m = multiline(text)
		return nil
	}
	*m = multiline(data) // a MIME type whose data is JSON itself
	return nil
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plainText drops colors.
func plainText(s string) string { return ansi.ReplaceAllString(s, "") }

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
