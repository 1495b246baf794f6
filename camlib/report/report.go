// Package report makes one HTML page of class activation maps: every image with its maps
// by several methods side by side, what the colors say, filters, sorting, and each map
// large on a click. The page is one file that needs no network; what it may do is bounded
// by a content security policy.
package report

import (
	"bufio"
	"errors"
	"fmt"
	"html/template"
	"image"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Generator is what a page names as its maker, in its first 512 bytes: a program may
// replace a file that holds it.
const Generator = `<meta name="generator" content="camlab report">`

// Page is what a page shows. Texts may hold anything: the page escapes them.
type Page struct {
	Title   string
	Facts   []Fact   // how the maps were made
	Asked   string   // what red speaks for, such as "not cat"; empty for the class of each map
	Methods []Method // of the maps
	Images  []Image
	Failed  []Failure // pictures of which there are no maps

	// Draw returns the pictures of image i. It is called by many goroutines at once.
	Draw func(i int) (*Pictures, error)
	// Side is the longest side of the pictures in the page, in pixels: larger ones are made
	// smaller. 0 is 224, what many networks take.
	Side int
}

// Fact is a name and its value.
type Fact struct{ Name, Value string }

// Method is one that maps were made by.
type Method struct {
	Name   string
	Unit   string // of a map's values; empty where it is not known
	Signed bool   // the colors are [figure.CoolWarm] with 0 in the middle, else [figure.Viridis] from 0
}

// Image is an image and what the network says of it.
type Image struct {
	Name      string
	Predicted string
	Label     string // empty where it is not known
	Maps      []Map  // those of the first method, then those of the next
}

// Map is one map of an image.
type Map struct {
	Method  int     // its number in [Page.Methods]
	Class   string  // what it explains, such as "cat", "cat not dog" or "not cat"
	Score   float32 // of what it explains, by which images are sorted
	Outcome string  // what the map cannot show; empty or "ok" for nothing
	Link    string  // relative URL of a larger picture beside the page; empty for none
}

// Failure is a picture that could not be explained.
type Failure struct{ Name, Error string }

// Pictures are those of one image.
type Pictures struct {
	Image image.Image
	Maps  []Drawn // one for each of [Image.Maps]
}

// Drawn is a map in its colors, of the image's proportions.
type Drawn struct {
	Picture   image.Image
	Low, High float64 // the values that the first and the last color stand for
	Where     string  // where it is largest, in words
}

// Write writes the page. Pictures are drawn some at a time, so that memory does not grow
// with their number. It fails if there are no images or methods, if a map names no method,
// if Draw fails, or if w does.
func (p *Page) Write(w io.Writer) error {
	if err := p.check(); err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	head := p.head()
	if err := pages.ExecuteTemplate(out, "head", head); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	const chunk = 64
	for start := 0; start < len(p.Images); start += chunk {
		items := make([]*item, min(chunk, len(p.Images)-start))
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		for k := range items {
			group.Go(func() (err error) {
				items[k], err = p.item(start+k, head)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, it := range items {
			if err := pages.ExecuteTemplate(out, "item", it); err != nil {
				return fmt.Errorf("report: %w", err)
			}
		}
	}
	if err := pages.ExecuteTemplate(out, "foot", head); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func (p *Page) check() error {
	if len(p.Images) == 0 {
		return errors.New("report: no images, want at least one")
	}
	if p.Draw == nil {
		return errors.New("report: no Draw, want the function that returns an image's pictures")
	}
	if p.Side < 0 {
		return fmt.Errorf("report: side of %d pixels, want at least 1, or 0 for 224", p.Side)
	}
	for _, im := range p.Images {
		if len(im.Maps) == 0 {
			return fmt.Errorf("report: image %s: no maps, want at least one", im.Name)
		}
		for _, m := range im.Maps {
			if m.Method < 0 || m.Method >= len(p.Methods) {
				return fmt.Errorf("report: image %s: a map of method %d, want 0 to %d", im.Name, m.Method, len(p.Methods)-1)
			}
		}
	}
	return nil
}

// item is what the template of an image takes.
type item struct {
	Image
	Number           int // in the page
	Predicts, Labels int // numbers of the classes in the page's filters
	Right, Wrong     bool
	Sort             float32 // the highest of the maps' scores
	Picture          tile
	Tiles            []mapTile
}

type mapTile struct {
	Map
	Drawn
	Name    string // of its method
	Signed  bool
	Picture tile
}

// item draws an image.
func (p *Page) item(i int, h *head) (*item, error) {
	im := p.Images[i]
	drawn, err := p.Draw(i)
	if err != nil {
		return nil, err
	}
	if len(drawn.Maps) != len(im.Maps) {
		return nil, fmt.Errorf("report: image %s: %d pictures of maps, want %d", im.Name, len(drawn.Maps), len(im.Maps))
	}
	it := &item{
		Image: im, Number: i, Predicts: h.predicted[im.Predicted], Labels: h.labels[im.Label], Sort: im.Maps[0].Score,
		Right: im.Label != "" && im.Label == im.Predicted, Wrong: im.Label != "" && im.Label != im.Predicted,
	}
	side := p.Side
	if side == 0 {
		side = 224
	}
	if it.Picture, err = newTile(drawn.Image, side); err != nil {
		return nil, fmt.Errorf("report: image %s: %w", im.Name, err)
	}
	for k, m := range im.Maps {
		if m.Outcome == "ok" {
			m.Outcome = ""
		}
		method := p.Methods[m.Method]
		t := mapTile{Map: m, Drawn: drawn.Maps[k], Name: method.Name, Signed: method.Signed}
		if t.Picture, err = newTile(drawn.Maps[k].Picture, side); err != nil {
			return nil, fmt.Errorf("report: image %s: map %d: %w", im.Name, k, err)
		}
		it.Tiles, it.Sort = append(it.Tiles, t), max(it.Sort, m.Score)
	}
	return it, nil
}

// pages are the parts of a page.
var pages = template.Must(template.New("").Funcs(template.FuncMap{"number": number, "thousands": thousands}).ParseFS(files, "page.html"))
