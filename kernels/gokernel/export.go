package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/camlab-go/camlab/kernels/cell"
)

// export returns a Go program that does what the cells of a notebook do, without the
// lines that are for the kernel. cells is the folder of newKernel.
func export(cells, notebook string) ([]byte, error) {
	texts, err := goCells(notebook)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp("", "camlab-export-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	c := open(cells, work, func(line string) { fmt.Fprintln(os.Stderr, line) })
	if err := c.Ready(); err != nil {
		return nil, err
	}
	s := &cell.Session{Importer: c.Importer(), Find: c.Find, Packages: c.Packages}
	return s.Export(texts)
}

// goCells is the Go of the code cells of a notebook.
func goCells(notebook string) ([]string, error) {
	data, err := os.ReadFile(notebook)
	if err != nil {
		return nil, err
	}
	var nb struct {
		Cells []struct {
			Type   string `json:"cell_type"`
			Source source `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(data, &nb); err != nil {
		return nil, fmt.Errorf("%s is no notebook: %w", notebook, err)
	}
	var texts []string
	for _, c := range nb.Cells {
		if p := parseCell(string(c.Source)); c.Type == "code" && p.whole == nil {
			texts = append(texts, p.text)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s has no code cells", notebook)
	}
	return texts, nil
}

// source is a text that the format stores whole or as a list of lines.
type source string

func (s *source) UnmarshalJSON(data []byte) error {
	var lines []string
	if json.Unmarshal(data, &lines) == nil {
		*s = source(strings.Join(lines, ""))
		return nil
	}
	return json.Unmarshal(data, (*string)(s))
}
