package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"codeberg.org/sbinet/npyio"
	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/figure"
)

// manifest is what an explanation's maps were made of and with: manifest.json.
type manifest struct {
	Model       string      `json:"model"`
	ModelSHA256 string      `json:"model_sha256"` // of its weights in .safetensors form
	Split       string      `json:"split,omitempty"`
	Shard       string      `json:"shard,omitempty"` // as asked for: which of all images these are
	Images      []explained `json:"images"`
	Classes     []string    `json:"classes"`
	Class       string      `json:"class"` // as asked for
	Methods     []string    `json:"method"`
	Layer       string      `json:"layer,omitempty"` // where the network was split; empty is its last
	Smooth      bool        `json:"smooth,omitempty"`
	MapShape    []int       `json:"map_shape"` // of the first method's file
	Maps        []mapFile   `json:"maps"`
	Resize      string      `json:"resize"` // of the maps in the pictures; the files hold them as they are
	Photos      string      `json:"photos,omitempty"`
	Backend     string      `json:"backend"`
	Plugin      string      `json:"plugin"`
	Versions    versions    `json:"versions"`
	Seed        int64       `json:"seed"` // 0: what a method draws is the same in every run
}

// mapFile is what one method made; the lists hold one value for each map.
type mapFile struct {
	Method   string    `json:"method"`
	File     string    `json:"file"`
	Shape    []int     `json:"shape"`
	Signed   bool      `json:"signed"`
	Score    []float32 `json:"score"`              // what the map explains
	Residual []float32 `json:"residual,omitempty"` // the score that the map adds up to less Score, where the method promises that
	Outcome  []string  `json:"outcome"`            // ok, or what the map cannot show
}

// explained is one image of a [manifest].
type explained struct {
	Name      string `json:"name"` // index in its split, or file name without its ending
	File      string `json:"file,omitempty"`
	Label     string `json:"label,omitempty"`
	Predicted string `json:"predicted"`
	Class     string `json:"class,omitempty"` // of its map; none when the maps are of all classes
	Rival     string `json:"rival,omitempty"` // that the class was contrasted with
}

type explainFlags struct {
	photos photoFlags

	model, data, split, class, out, backend, layer, shard string
	index, methods                                        []string
	asJSON, smooth                                        bool
	options                                               cam.Options
}

func newExplain() *cobra.Command {
	var o explainFlags
	c := &cobra.Command{
		Use:   "explain [IMAGE|FOLDER...]",
		Short: "Draw class activation maps of CIFAR-10 images or of pictures from disk",
		Long: `Explain makes class activation maps and writes into --out

  maps_<method>.npy                     the method's raw values, float32 [n,16,16], [n,10,16,16] with --class all,
                                        [n,k,16,16] with "top k"; those of pixels, and of several layers, 32×32
  logits.npy                            the scores before the softmax, float32 [n,10]
  <index or name>_<class>_<method>.png  the image beside its map
  manifest.json                         what they were made of and with

A method's name is written in lower case and without punctuation there (gradcampp).
A picture from disk, PNG, JPEG, GIF (its first frame), WebP, BMP or TIFF, is turned
upright as its EXIF says, laid over --background where it is transparent, cut to
its largest centred square and made 32×32; a folder stands for the pictures in
it, in the order of their names.

With --shard i/n the images are cut into n runs of neighbours, as long as each
other to one image, and only run i, from 0, is explained, into a folder of its
own in --out (shard-00003-of-00008). The arrays of all shards, joined in the
order of the folders' names, are those of one run over all images.
manifest.json is written last: where it is, all else is whole.

What is explained is a class's score before the softmax. --class takes

  predicted, label, all, "top 3", a class's name or its digit,
  "frog not deer"         why the one and not the other
  "not frog"              what speaks against it
  "probability of frog"   the softmax's output
  "centred frog"          the score less the mean of all classes' scores`,
		Example: `  camlab explain --split sample --index 3,7,11 --method cam,gradcam
  camlab explain --split sample --index 3 --method all --class "top 2"
  camlab explain --model runs/article --class frog photo.jpg
  camlab explain --split test --index all --shard 3/8`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := o.run(cmd, args)
			if err != nil {
				return err
			}
			if o.asJSON {
				return printJSON(cmd.OutOrStdout(), m)
			}
			for _, im := range m.Images {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: predicted %s\n", im.Name, im.Predicted)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "maps, pictures and manifest.json are in %s\n", o.out)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.model, "model", "article", modelUsage)
	f.StringVar(&o.data, "data", "", dataUsage)
	f.StringVar(&o.split, "split", "test", splitUsage)
	f.StringSliceVar(&o.index, "index", nil, "images of the split, by their index in it, or all; of the sample, by their index in the test set")
	f.StringVar(&o.shard, "shard", "", "explain only part i of n, as in 3/8; the first is 0")
	f.StringSliceVar(&o.methods, "method", []string{"cam"}, methodUsage())
	f.StringVar(&o.class, "class", "predicted", "what to explain, see above")
	f.StringVar(&o.layer, "layer", "", "layer whose activations are explained, conv1 to conv5 (default the last)")
	f.BoolVar(&o.smooth, "smooth", false, "average each method over the image, its mirror image, and both at 0.9 and 1.1 times the brightness")
	f.IntVar(&o.options.Channels, "channels", 0, "channels that Score-CAM and its kin mask, those that vary most (default all)")
	f.IntVar(&o.options.Samples, "samples", 0, "masks, noises or steps of the methods that average over some (default each method's own number)")
	f.IntVar(&o.options.Chunk, "chunk", 0, "changed images in one run at most, which bounds the memory (default 128)")
	o.photos.add(f)
	f.StringVar(&o.out, "out", "out/explain", "folder to write into")
	f.StringVar(&o.backend, "backend", "", backendUsage)
	f.BoolVar(&o.asJSON, "json", false, jsonUsage+": the manifest")
	return c
}

func methodUsage() string { return "all, or some of " + strings.Join(methodNames(), ", ") }

func methodNames() (names []string) {
	for _, m := range cam.Methods() {
		names = append(names, m.Name)
	}
	return names
}

// subjects are the images to explain.
type subjects struct {
	images []image.Image
	infos  []explained
	labels []uint8 // nil for pictures from disk
}

func (o *explainFlags) run(cmd *cobra.Command, files []string) (*manifest, error) {
	if len(o.methods) == 0 {
		return nil, fmt.Errorf("explain: no method, want some of %s", strings.Join(methodNames(), ", "))
	}
	methods, err := lookup(o.methods)
	if err != nil {
		return nil, err
	}
	part, err := parsePart(o.shard)
	if err != nil {
		return nil, err
	}
	network, sum, err := openModel(o.model)
	if err != nil {
		return nil, err
	}
	s, err := o.subjects(cmd.Context(), files, part)
	if err != nil {
		return nil, err
	}
	backend, err := openBackend(cmd, o.backend)
	if err != nil {
		return nil, err
	}
	var explained cam.Network = network
	if o.layer != "" {
		if explained, err = cam.At(network, o.layer); err != nil {
			return nil, err
		}
	}
	explainer, err := cam.New(backend, explained, o.options)
	if err != nil {
		return nil, err
	}
	model := &camlib.Model{Network: explained, Backend: backend, Explainer: explainer}
	target, err := o.target(model, s)
	if err != nil {
		return nil, err
	}
	images, err := cam.FromImages(s.images...)
	if err != nil {
		return nil, err
	}
	var results []*cam.Result // all of them before the first file is written
	for _, method := range methods {
		if o.smooth {
			method.Smoothing = cam.Smoothing{Flips: true, Scales: []float64{0.9, 1, 1.1}}
		}
		r, err := model.Explainer.Explain(cmd.Context(), method, images, target)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	if o.shard != "" {
		o.out = filepath.Join(o.out, fmt.Sprintf("shard-%05d-of-%05d", part.i, part.n))
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	last := filepath.Join(o.out, "manifest.json") // says that all is there, so an earlier run's goes first
	if err := os.Remove(last); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("explain: %w", err)
	}
	v := readVersions()
	m := &manifest{
		Model: o.model, ModelSHA256: sum, Shard: o.shard, Images: s.infos, Classes: network.Classes(), Class: o.class,
		Layer: o.layer, Smooth: o.smooth, Resize: cam.AlignCorners.String(), Backend: camlib.Describe(backend), Versions: v,
	}
	if !camlib.IsPureGo(backend) {
		m.Plugin = filepath.Base(v.Plugin)
	}
	m.Versions.Plugin = m.Plugin
	if len(files) > 0 {
		m.Photos = o.photos.policy()
	} else {
		m.Split = o.split
	}
	m.describe(results[0]) // scores and classes are the same for every method
	if err := writeArray(filepath.Join(o.out, "logits.npy"), chunks(results[0].Scores, results[0].NumClasses)); err != nil {
		return nil, err
	}
	for k, method := range methods {
		r := results[k]
		var maps any = chunks(chunks(r.Maps, r.Width), r.Height) // [n, height, width]
		if r.K > 0 {
			maps = chunks(chunks(chunks(r.Maps, r.Width), r.Height), r.K)
		}
		f := mapFile{
			Method: method.Name, File: "maps_" + method.FileName() + ".npy", Shape: r.Shape(), Signed: method.Signed,
			Score: r.Score, Residual: r.Residual,
		}
		for _, outcome := range r.Outcome {
			f.Outcome = append(f.Outcome, outcome.String())
		}
		m.Methods, m.Maps = append(m.Methods, method.Name), append(m.Maps, f)
		if err := writeArray(filepath.Join(o.out, f.File), maps); err != nil {
			return nil, err
		}
		if err := o.draw(method, r, s, m.Classes); err != nil {
			return nil, err
		}
	}
	return m, writeFile(last, func(w io.Writer) error { return printJSON(w, m) })
}

// part is one of n parts of a list, 0 ≤ i < n.
type part struct{ i, n int }

// parsePart reads --shard; without it all is one part.
func parsePart(text string) (part, error) {
	if text == "" {
		return part{0, 1}, nil
	}
	first, second, _ := strings.Cut(text, "/")
	i, errI := strconv.Atoi(first)
	n, errN := strconv.Atoi(second)
	if errI != nil || errN != nil || i < 0 || i >= n {
		return part{}, fmt.Errorf("explain: --shard %q, want part i of n as in 3/8, i from 0 to n-1", text)
	}
	return part{i, n}, nil
}

// cut returns the part of a list. No part may be empty: all of them fail alike,
// rather than one in a cluster.
func cut[T any](list []T, p part) ([]T, error) {
	if p.n > len(list) {
		return nil, fmt.Errorf("explain: --shard %d/%d, want at most as many parts as images, %d", p.i, p.n, len(list))
	}
	return list[p.i*len(list)/p.n : (p.i+1)*len(list)/p.n], nil
}

// subjects reads a part of the images that the flags or the arguments name.
func (o *explainFlags) subjects(ctx context.Context, files []string, p part) (*subjects, error) {
	if len(files) > 0 {
		if len(o.index) > 0 {
			return nil, errors.New("explain: --index and image files, want one of them")
		}
		return o.readPhotos(files, p)
	}
	if len(o.index) == 0 {
		return nil, errors.New("explain: no images, want --index 3,7,11 or image files")
	}
	ds, err := openSplit(ctx, o.split, o.data)
	if err != nil {
		return nil, err
	}
	positions, err := o.positions(ds)
	if err != nil {
		return nil, err
	}
	if positions, err = cut(positions, p); err != nil {
		return nil, err
	}
	if ds, err = ds.Select(positions...); err != nil {
		return nil, err
	}
	s := &subjects{labels: ds.Labels}
	for i, index := range ds.Index {
		s.images = append(s.images, ds.Image(i))
		s.infos = append(s.infos, explained{Name: strconv.Itoa(index), Label: cifar10.Classes[ds.Labels[i]]})
	}
	return s, nil
}

// positions are the places in a data set of the images that --index names.
func (o *explainFlags) positions(ds *cifar10.Dataset) (positions []int, err error) {
	if slices.Equal(o.index, []string{"all"}) {
		for p := range ds.Len() {
			positions = append(positions, p)
		}
		return positions, nil
	}
	for _, text := range o.index {
		i, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("explain: --index has %q, want numbers as in 3,7,11, or all", text)
		}
		p := slices.Index(ds.Index, i)
		if p < 0 {
			return nil, fmt.Errorf("explain: %s has no image %d, want one of its %d", o.split, i, ds.Len())
		}
		if slices.Contains(positions, p) {
			return nil, fmt.Errorf("explain: --index has %d twice, want every image once", i)
		}
		positions = append(positions, p)
	}
	return positions, nil
}

// readPhotos reads a part of the pictures from disk and makes them fit the network.
func (o *explainFlags) readPhotos(paths []string, p part) (*subjects, error) {
	var files []string
	for _, path := range paths {
		in, err := pictures(path)
		if err != nil {
			return nil, err
		}
		files = append(files, in...)
	}
	seen := make(map[string]string) // in all parts, so that their pictures can be put together
	for _, file := range files {
		name := photoName(file)
		if other, ok := seen[name]; ok {
			return nil, fmt.Errorf("explain: %s and %s would both be written as %s, want different names", other, file, name)
		}
		seen[name] = file
	}
	files, err := cut(files, p)
	if err != nil {
		return nil, err
	}
	s := &subjects{}
	for _, file := range files {
		photo, err := o.photos.read(file)
		if err != nil {
			return nil, err
		}
		s.images = append(s.images, photo)
		s.infos = append(s.infos, explained{Name: photoName(file), File: file})
	}
	return s, nil
}

func photoName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// pictures returns the pictures of a folder, in the order of their names, or
// the path itself if it is none.
func pictures(path string) (files []string, err error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return []string{path}, nil // reading it says what is wrong
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	for _, e := range entries {
		if camlib.IsPhoto(e.Name()) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("explain: no .png, .jpg, .gif, .webp, .bmp or .tiff in %s", path)
	}
	return files, nil
}

// lookup returns the methods of those names, of "all" all.
func lookup(names []string) (methods []cam.Method, err error) {
	for _, name := range names {
		if name == "all" {
			methods = append(methods, cam.Methods()...)
			continue
		}
		method, err := cam.Lookup(name)
		if err != nil {
			return nil, err
		}
		methods = append(methods, method)
	}
	return methods, nil
}

func (o *explainFlags) target(model *camlib.Model, s *subjects) (cam.Target, error) {
	if o.class == "label" {
		if s.labels == nil {
			return cam.Target{}, errors.New("explain: pictures from disk have no label, want --class predicted, all, or a class")
		}
		return cam.Labels(s.labels), nil
	}
	target, err := model.Target(o.class)
	if err != nil {
		return cam.Target{}, fmt.Errorf("%w, or label", err)
	}
	return target, nil
}

// describe records what a result says of the images.
func (m *manifest) describe(r *cam.Result) {
	m.MapShape = r.Shape()
	for i := range m.Images {
		m.Images[i].Predicted = m.Classes[r.Predicted[i]]
		if r.Class != nil && r.K == 0 {
			m.Images[i].Class = m.Classes[r.Class[i]]
		}
		if r.Rival != nil {
			m.Images[i].Rival = m.Classes[r.Rival[i]]
		}
	}
}

// draw writes a result's pictures. Those of one image share a scale.
func (o *explainFlags) draw(method cam.Method, r *cam.Result, s *subjects, names []string) error {
	for i, img := range s.images {
		classes := r.ClassesOf(i)
		var maps []figure.Map
		for _, c := range classes {
			m, err := figure.NewMap(r.Height, r.Width, r.Map(i, c))
			if err != nil {
				return err
			}
			maps = append(maps, m)
		}
		shading, err := camlib.Shading(method, maps...)
		if err != nil {
			return err
		}
		for k, c := range classes {
			asked := names[c]
			if r.Rival != nil {
				asked += " not " + names[r.Rival[i]]
			}
			title := fmt.Sprintf("%s: %s %+.2f", s.infos[i].Name, asked, r.Score[i*len(classes)+k])
			picture, err := figure.Pair{Title: title, Image: img, Map: maps[k], Name: method.Name, Shading: shading}.Draw()
			if err != nil {
				return err
			}
			path := filepath.Join(o.out, fmt.Sprintf("%s_%s_%s.png", s.infos[i].Name, strings.ReplaceAll(asked, " ", "_"), method.FileName()))
			if err := figure.WritePNG(path, picture); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunks cuts v into pieces of n, which makes one more axis of it.
func chunks[T any](v []T, n int) (c [][]T) {
	for piece := range slices.Chunk(v, n) {
		c = append(c, piece)
	}
	return c
}

// writeArray writes slices of slices as a .npy file, whole or not at all.
func writeArray(path string, v any) error {
	return writeFile(path, func(w io.Writer) error { return npyio.Write(w, v) })
}
