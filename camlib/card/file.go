package card

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/camlab-go/camlab/internal/atomicfile"
)

// Suffix is how the names of cards end.
const Suffix = ".camlab.json"

// maxFile is the largest card, and the largest file of class names, that is read.
const maxFile = 16 << 20

// Path returns where the card of a model's file is written: model.camlab.json for
// model.onnx.
func Path(model string) string { return strings.TrimSuffix(model, filepath.Ext(model)) + Suffix }

// Find returns the card beside a model's file, model.camlab.json or model.onnx.camlab.json
// for model.onnx, and whether there is one. It fails if there are both.
func Find(model string) (path string, ok bool, err error) {
	for _, name := range slices.Compact([]string{Path(model), model + Suffix}) {
		_, err := os.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", false, fmt.Errorf("card: %w", err)
		case ok:
			return "", false, fail("%s and %s, want one card", path, name)
		}
		path, ok = name, true
	}
	return path, ok, nil
}

// Read reads a card. What it does not say is as in its preset or, without one, as in unit:
// pixels from 0 to 1, or as in raw where the network takes whole numbers; and as the
// network's own file says. The names of ClassesFile are in Classes.
//
// It fails with an error that says which field is wrong and what is wanted for anything
// that is no JSON object of a card's fields, each at most once, for values that [Card.Check]
// refuses, and for those that are not the network's own.
func Read(path string, in Input) (Card, error) {
	data, err := readFile(path)
	if err != nil {
		return Card{}, err
	}
	c, err := decode(data, in)
	if err == nil && c.ClassesFile != "" {
		err = c.readClasses(filepath.Dir(path))
	}
	if err != nil {
		return Card{}, fmt.Errorf("card: %s: %w", path, unprefixed{err})
	}
	return c, nil
}

// unprefixed is an error without the name of this package, which stands before it.
type unprefixed struct{ error }

func (u unprefixed) Error() string { return strings.TrimPrefix(u.error.Error(), "card: ") }
func (u unprefixed) Unwrap() error { return u.error }

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fail("%s: %s of %d bytes, want a file of at most %d", path, info.Mode().Type(), info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	return data, nil
}

func decode(data []byte, in Input) (Card, error) {
	keys, err := keysOf(data)
	if err != nil {
		return Card{}, err
	}
	if slices.Contains(keys, "mean") != slices.Contains(keys, "std") {
		return Card{}, fail("mean or std alone, want both or neither")
	}
	var first struct {
		Preset   *string `json:"preset"`
		Channels string  `json:"channels"`
		Height   int     `json:"height"`
		Width    int     `json:"width"`
	}
	if err := json.Unmarshal(data, &first); err != nil {
		return Card{}, ofJSON(data, err)
	}
	base := in
	if first.Height > 0 {
		base.Height = first.Height
	}
	if first.Width > 0 {
		base.Width = first.Width
	}
	if n := (Card{Channels: first.Channels}).channels(); n > 0 {
		base.Channels = n
	}
	name := "unit"
	if _, whole := integers[in.Type]; whole {
		name = "raw"
	}
	if first.Preset != nil {
		name = *first.Preset
	}
	c, err := preset(name, base)
	if err != nil {
		return Card{}, err
	}
	if first.Preset == nil {
		c.Preset = ""
	}
	if slices.Contains(keys, "fit") {
		c.ShortSide = 0 // that of the preset's fit
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return Card{}, ofJSON(data, err)
	}
	if err := c.Check(); err != nil {
		return Card{}, err
	}
	if c.ClassesFile != "" && c.Classes != nil {
		return Card{}, fail("classes and classes_file, want one of them")
	}
	for _, side := range []struct {
		name      string
		said, own int
	}{{"height", c.Height, in.Height}, {"width", c.Width, in.Width}, {"channels", c.channels(), in.Channels}} {
		if side.own > 0 && side.said != side.own {
			return Card{}, fail("%s: %d, want %d, which the network's own file says", side.name, side.said, side.own)
		}
	}
	return c, c.checkNumbers(in)
}

// keysOf returns the keys of data, which has to be one JSON object of a card's fields, each
// at most once.
func keysOf(data []byte) (keys []string, err error) {
	if !utf8.Valid(data) {
		return nil, fail("the file is not UTF-8, want JSON")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, fail("no JSON object, want { and the fields of a card")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, ofJSON(data, err)
		}
		name, _ := key.(string)
		if !slices.Contains(fields, name) {
			return nil, fail("field %q, want only %s", name, strings.Join(fields, ", "))
		}
		if slices.Contains(keys, name) {
			return nil, fail("field %q twice, want it once", name)
		}
		keys = append(keys, name)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, ofJSON(data, err)
		}
		if string(value) == "null" {
			return nil, fail("%s: null, want a value, or no such field", name)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, ofJSON(data, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fail("more after the closing }, want nothing")
	}
	return keys, nil
}

// ofJSON says in a reader's words what is wrong with JSON.
func ofJSON(data []byte, err error) error {
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		want := map[string]string{"int": "a whole number", "float64": "a number within float64", "string": "a text", "[]string": "a list of texts", "[]float64": "a list of numbers"}[wrong.Type.String()]
		if want == "" {
			want = "the name of one"
		}
		return fail("%s: a JSON %s, want %s", wrong.Field, wrong.Value, want)
	}
	if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) {
		before := data[:min(int(wrong.Offset), len(data))]
		return fail("line %d: %w, want JSON, which has no NaN and no comments", 1+bytes.Count(before, []byte("\n")), err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fail("the file ends too early, want a whole JSON object")
	}
	return fail("%w", err)
}

// readClasses reads the names of ClassesFile.
func (c *Card) readClasses(dir string) error {
	path := filepath.Join(dir, c.ClassesFile)
	data, err := readFile(path)
	if err != nil {
		return fmt.Errorf("classes_file: %w", err)
	}
	if !utf8.Valid(data) {
		return fail("classes_file: %s is not UTF-8, want a name a line", path)
	}
	text := strings.TrimRight(strings.TrimPrefix(string(data), "\ufeff"), "\r\n")
	for i, line := range strings.Split(text, "\n") {
		name := strings.TrimSpace(line)
		if name == "" {
			return fail("classes_file: %s: line %d is empty, want a name a line", path, i+1)
		}
		c.Classes = append(c.Classes, name)
	}
	return nil
}

// Write writes the card, which appears whole or not at all. The names of ClassesFile stay
// there.
func (c Card) Write(path string) error {
	if err := c.Check(); err != nil {
		return err
	}
	if c.ClassesFile != "" {
		c.Classes = nil
	}
	err := atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(c)
	})
	if err != nil {
		return fmt.Errorf("card: write: %w", err)
	}
	return nil
}
