package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/report"
	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/legible"
)

type reportFlags struct {
	out                  string
	thumbnail, maxImages int
	asJSON               bool
}

// reported is what `camlab report --json` prints.
type reported struct {
	File   string `json:"file"`
	Images int    `json:"images"`
	Maps   int    `json:"maps"`
	Bytes  int64  `json:"bytes"`
}

func newReport() *cobra.Command {
	var o reportFlags
	c := &cobra.Command{
		Use:   "report [FOLDER]",
		Short: "Make one HTML page of what explain wrote: images, maps, scores, filters",
		Long: `Report makes a page of the folder that explain wrote (default out/explain): each
image with its maps side by side, what the colors say, filters by class and by
right or wrong, sorting by score, and each map large on a click, with the image
below it. It is one file that needs no network, for any browser.

The pictures are in the page, at most --thumbnail pixels wide and high; images of
networks that take less are in it as they are. The large view shows the same
pictures enlarged and links to the whole ones, which stay in the folder: inside
the page they would make it many times as large. With the default of 224 pixels,
a page of 1,000 photos with two maps each is about 35 MB, one of CIFAR-10 10 MB.

A page that is there is made anew. Any other file is left as it is, and an error.`,
		Example: `  camlab report
  camlab report out/explain/shard-00003-of-00008 -o shard3.html
  camlab report --thumbnail 96 out/photos`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := o.run(append(args, "out/explain")[0])
			if err != nil {
				return err
			}
			if o.asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d images and %d maps are in %s, %.1f MB\n", r.Images, r.Maps, r.File, float64(r.Bytes)/1e6)
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "the page (default report.html in the folder)")
	f.IntVar(&o.thumbnail, "thumbnail", 224, "longest side of the pictures in the page, in pixels, which decides its size")
	f.IntVar(&o.maxImages, "max-images", 10_000, "images of which a page is made at most, which bounds its size")
	f.BoolVar(&o.asJSON, "json", false, jsonUsage)
	return c
}

func (o *reportFlags) run(dir string) (*reported, error) {
	if o.thumbnail < 16 || o.thumbnail > 4096 {
		return nil, fmt.Errorf("report: --thumbnail %d, want 16 to 4096 pixels", o.thumbnail)
	}
	out := cmp.Or(o.out, filepath.Join(dir, "report.html"))
	run, err := openFinished(dir, o.maxImages)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer run.close()
	if err := replaceable(out); err != nil {
		return nil, fmt.Errorf("report: --out: %w", err)
	}
	page := run.page(linker(dir, out))
	page.Side = o.thumbnail
	if err := atomicfile.Write(out, page.Write); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	info, err := os.Stat(out)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	r := &reported{File: out, Images: len(page.Images), Bytes: info.Size()}
	for _, im := range page.Images {
		r.Maps += len(im.Maps)
	}
	return r, nil
}

// replaceable fails if there is anything but a page of an earlier report.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return fmt.Errorf("%s: no folder %s, want one that exists", path, filepath.Dir(path))
		}
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is a folder or no plain file, want the name of a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if !bytes.Contains(head[:n], []byte(report.Generator)) {
		return fmt.Errorf("%s is there and no report, want another name, or that file elsewhere", path)
	}
	return nil
}

// linker returns what makes a file of a folder a URL relative to a page, empty where
// there is none.
func linker(dir, page string) func(name string) string {
	from, errFrom := filepath.Abs(filepath.Dir(page))
	to, errTo := filepath.Abs(dir)
	if errFrom != nil || errTo != nil {
		return func(string) string { return "" }
	}
	return func(name string) string {
		path, err := filepath.Rel(from, filepath.Join(to, name))
		if err != nil {
			return ""
		}
		return (&url.URL{Path: filepath.ToSlash(path)}).String()
	}
}

// page says what the page shows of a run.
func (r *finishedRun) page(link func(name string) string) *report.Page {
	m := r.manifest
	p := &report.Page{Title: "Class activation maps of " + r.title(), Draw: r.draw, Facts: facts(m)}
	asker := camlib.Model{Network: &network.Network{Classes: m.Classes}}
	if target, err := asker.Target(m.Class); err == nil && target.Words("") != "" { // label, an error here, is a class
		p.Asked = legible.Line(m.Class)
	}
	for _, f := range m.Maps {
		method := report.Method{Name: f.Method, Signed: f.Signed}
		if known, err := cam.Lookup(f.Method); err == nil { // else one that another program registered
			method.Unit = known.Spec().Unit
		}
		p.Methods = append(p.Methods, method)
	}
	for _, rec := range r.records {
		im := report.Image{Name: legible.Line(rec.Name), Predicted: legible.Line(rec.Predicted), Label: legible.Line(rec.Label)}
		for method, made := range rec.Maps {
			for k := range r.k {
				im.Maps = append(im.Maps, report.Map{
					Method: method, Class: legible.Line(r.explained(rec, k)), Score: made.Score[k], Outcome: made.Outcome[k],
					Link: link(rec.Pictures[method*r.k+k]),
				})
			}
		}
		p.Images = append(p.Images, im)
	}
	for _, rec := range r.failed {
		p.Failed = append(p.Failed, report.Failure{Name: legible.Line(cmp.Or(rec.File, rec.Name)), Error: legible.Line(rec.Error)})
	}
	return p
}

// title names the images of a run.
func (r *finishedRun) title() string {
	if r.manifest.Split != "" {
		return "CIFAR-10, " + r.manifest.Split
	}
	if len(r.records) == 1 {
		return legible.Line(r.records[0].Name)
	}
	dir := r.dir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return legible.Line(filepath.Base(dir))
}

// facts are how the maps were made.
func facts(m *manifest) (facts []report.Fact) {
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, report.Fact{Name: name, Value: legible.Line(value)})
		}
	}
	add("model", m.Model)
	add("its weights", "sha256 "+m.ModelSHA256)
	add("explained", m.Class)
	add("layer", cmp.Or(m.Layer, "the last"))
	if m.Smooth {
		add("smoothed", "mean over mirror images and 0.9 and 1.1 times the brightness")
	}
	add("methods", strings.Join(m.Methods, ", "))
	add("shard", m.Shard)
	add("pictures", m.Photos)
	add("maps in pictures", "enlarged by value, "+m.Resize)
	add("backend", m.Backend)
	add("camlab", strings.TrimSpace(m.Versions.Camlab+" "+m.Versions.Revision))
	return facts
}
