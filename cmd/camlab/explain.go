package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/legible"
	"github.com/camlab-go/camlab/internal/lock"
	"github.com/camlab-go/camlab/internal/npy"
	"github.com/camlab-go/camlab/internal/outdir"
	"github.com/camlab-go/camlab/internal/progress"
)

// manifest is what an explanation's maps were made of and with: manifest.json.
type manifest struct {
	Model       string        `json:"model"`
	ModelSHA256 string        `json:"model_sha256"` // of its weights in .safetensors form
	Split       string        `json:"split,omitempty"`
	Shard       string        `json:"shard,omitempty"` // as asked for: which of all images these are
	Images      []explained   `json:"images"`
	Failed      []failedImage `json:"failed,omitempty"` // pictures that could not be read, of which there are no maps
	Classes     []string      `json:"classes"`
	Class       string        `json:"class"` // as asked for
	Methods     []string      `json:"method"`
	Layer       string        `json:"layer,omitempty"` // where the network was split; empty is its last
	Smooth      bool          `json:"smooth,omitempty"`
	MapShape    []int         `json:"map_shape"` // of the first method's file
	Maps        []mapFile     `json:"maps"`
	Resize      string        `json:"resize"` // of the maps in the pictures; the files hold them as they are
	Photos      string        `json:"photos,omitempty"`
	Backend     string        `json:"backend"`
	Plugin      string        `json:"plugin"`
	Versions    versions      `json:"versions"`
	Seed        int64         `json:"seed"`            // 0: what a method draws is the same in every run
	Settings    string        `json:"settings_sha256"` // of all that the results depend on: equal for runs that write the same
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
	Name      string   `json:"name"`           // index in its split, or file name without its ending
	File      string   `json:"file,omitempty"` // bytes that are not UTF-8 as \xe9
	Label     string   `json:"label,omitempty"`
	Predicted string   `json:"predicted"`
	Class     string   `json:"class,omitempty"` // of its map; none when the maps are of all classes
	Rival     string   `json:"rival,omitempty"` // that the class was contrasted with
	Pictures  []string `json:"pictures"`        // files, method after method
}

// failedImage is one picture that could not be read.
type failedImage struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Error string `json:"error"`
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
  manifest.json                         what they were made of and with, and each image's files

A method's name is written in lower case and without punctuation there (gradcampp).
A picture's or class's name that is too long for a file's, not legal on every
system, or another's but for case is changed and ends in ~ and a checksum; two
pictures of one name are an error.
A picture from disk, PNG, JPEG, GIF (its first frame), WebP, BMP or TIFF, is turned
upright as its EXIF says, laid over --background where it is transparent, cut to
its largest centred square and made 32×32; a folder stands for the pictures in
it, in the order of their names.
Files that are no pictures end the command before it computes; a picture that
turns out to be broken is left out of all files, the manifest lists it, and the
exit status is 1 when the others are done.

Pictures are written as they come, 32 images at a time, and the rest is kept in
the folder unfinished in --out. After Ctrl-C, a kill or a full disk the same
command goes on from there and leaves the bytes of a run that was not stopped.
With other settings, images or another build of camlab it begins anew, and says
why. Where all is there already, nothing is computed. One run at a time works in
a folder.

With --shard i/n the images are cut into n runs of neighbours, as long as each
other to one image, and only run i, from 0, is explained, into a folder of its
own in --out (shard-00003-of-00008). The arrays of all shards, joined in the
order of the folders' names, are those of one run over all images.
The arrays and last manifest.json get their places at the end: where that is,
all else is whole.

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
				err = printJSON(cmd.OutOrStdout(), m)
			} else {
				err = m.print(cmd.OutOrStdout(), o.out)
			}
			if len(m.Failed) > 0 {
				return fmt.Errorf("explain: %d of %d pictures could not be read and have no maps, the manifest lists them; the first: %s", len(m.Failed), len(m.Failed)+len(m.Images), m.Failed[0].Error)
			}
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

// subjects are the images to explain. Their pixels are read when their turn comes.
type subjects struct {
	infos    []explained
	files    []string // the images' parts of file names
	labels   []uint8  // nil for pictures from disk
	identity string   // of the images and what is in them
	read     func(i int) (image.Image, error)
}

func (o *explainFlags) run(cmd *cobra.Command, files []string) (*manifest, error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
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
	s, err := o.subjects(ctx, files, part)
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
	if _, err := o.target(model, s.labels); err != nil {
		return nil, err
	}
	if o.shard != "" {
		o.out = filepath.Join(o.out, fmt.Sprintf("shard-%05d-of-%05d", part.i, part.n))
	}
	v := readVersions()
	m := &manifest{
		Model: o.model, ModelSHA256: sum, Shard: o.shard, Classes: network.Classes(), Class: o.class,
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
	for k := range methods {
		if o.smooth {
			methods[k].Smoothing = cam.Smoothing{Flips: true, Scales: []float64{0.9, 1, 1.1}}
		}
		m.Methods = append(m.Methods, methods[k].Name)
		m.Maps = append(m.Maps, mapFile{Method: methods[k].Name, File: "maps_" + methods[k].FileName() + ".npy", Signed: methods[k].Signed})
	}
	settings, err := o.settings(cmd, m, s)
	if err != nil {
		return nil, err
	}
	m.Settings = settings.sum()

	_, missing := os.Stat(o.out)
	if err := outdir.Ready(o.out); err != nil {
		return nil, fmt.Errorf("explain: --out: %w", err)
	}
	unlock, err := lock.Dir(o.out)
	switch {
	case errors.Is(err, lock.ErrUnsupported):
		unlock = func() {} // as in a bucket that is mounted, where a job's shards have folders of their own
	case errors.Is(err, lock.ErrHeld):
		return nil, fmt.Errorf("explain: --out: folder %s: %w, want one run at a time: wait for its end, or choose another folder", o.out, err)
	case err != nil:
		return nil, fmt.Errorf("explain: --out: %w", err)
	}
	defer unlock()
	if done := finished(o.out, m.Settings); done != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "explain: %s has these results already; remove it to compute them again\n", o.out)
		return done, nil
	}
	if err := m.free(o.out); err != nil {
		return nil, fmt.Errorf("explain: --out: %w", err)
	}
	j, err := o.journal(cmd, settings, m, len(s.infos))
	if err != nil {
		return nil, err
	}
	if j.last.General && !explainer.General() {
		o.options.General = true
		if model.Explainer, err = cam.New(backend, explained, o.options); err != nil {
			return nil, err
		}
	}
	w := &explaining{subjects: s, flags: o, journal: j, methods: methods, model: model, manifest: m, slugs: fileNames(m.Classes, maxClassName, "_")}
	if err = w.all(ctx, progress.New(cmd.ErrOrStderr())); err == nil {
		err = w.finish()
	}
	if err == nil {
		return m, nil
	}
	if j.units == 0 { // as if it had not been
		err = errors.Join(err, j.remove())
		if missing != nil {
			unlock()
			_ = os.Remove(o.out)
		}
		return nil, err
	}
	j.close()
	done := whole(j.units, len(methods), len(s.infos))
	if ctx.Err() != nil {
		return nil, fmt.Errorf("explain: stopped; %d of %d images are done, and the same command goes on: %w", done, len(s.infos), context.Cause(ctx))
	}
	return nil, fmt.Errorf("%w; %d of %d images are done, and the same command goes on after them", err, done, len(s.infos))
}

// settings are what the results depend on.
func (o *explainFlags) settings(cmd *cobra.Command, m *manifest, s *subjects) (settings, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	all := settings{
		"camlab":              fmt.Sprint(m.Versions, info.Size(), info.ModTime().UnixNano()), // a build of a checkout has no other version
		"the model's weights": m.ModelSHA256, "the backend": m.Backend, "the images": s.identity,
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		case "out", "json", "data", "backend", "help": // what they change is above, or nothing
		default:
			all["--"+f.Name] = f.Value.String()
		}
	})
	return all, nil
}

// journal opens the journal in --out and says what is to become of what it holds.
func (o *explainFlags) journal(cmd *cobra.Command, s settings, m *manifest, images int) (*journal, error) {
	arrays := []string{"logits.npy"}
	for _, f := range m.Maps {
		arrays = append(arrays, f.File)
	}
	j, differ, err := openJournal(o.out, s, arrays)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if len(differ) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "explain: %s has an unfinished run with other settings (%s), which begins anew\n", o.out, strings.Join(differ, ", "))
	}
	if j.units > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "explain: %s has an unfinished run, which goes on after %d of %d images\n", o.out, whole(j.units, len(m.Maps), images), images)
	}
	return j, nil
}

// finished returns the manifest in a folder if it is of these settings. One that
// promises files that are not there is removed.
func finished(dir, settings string) *manifest {
	path := filepath.Join(dir, manifestFile)
	if !isFile(path) {
		return nil
	}
	text, err := os.ReadFile(path)
	m := &manifest{}
	if err != nil || json.Unmarshal(text, m) != nil {
		return nil
	}
	arrays := []mapFile{{File: "logits.npy", Shape: []int{len(m.Images), len(m.Classes)}}}
	for _, f := range append(arrays, m.Maps...) {
		if info, err := os.Stat(filepath.Join(dir, f.File)); err != nil || info.Size() != f.size() {
			_ = os.Remove(path)
			return nil
		}
	}
	for _, im := range m.Images {
		for _, name := range im.Pictures {
			if !isFile(filepath.Join(dir, name)) {
				_ = os.Remove(path)
				return nil
			}
		}
	}
	if m.Settings != settings {
		return nil
	}
	_ = os.RemoveAll(filepath.Join(dir, unfinished)) // stopped after the manifest
	return m
}

// size is the length of the file, in bytes.
func (f mapFile) size() int64 {
	size := int64(4)
	for _, d := range f.Shape {
		size *= int64(d)
	}
	return npy.HeaderSize + size
}

// free finds folders where files are to be.
func (m *manifest) free(dir string) error {
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	names := []string{manifestFile, "logits.npy"}
	for _, f := range m.Maps {
		names = append(names, f.File)
		ending := "_" + strings.TrimSuffix(strings.TrimPrefix(f.File, "maps_"), ".npy") + ".png"
		for _, e := range there { // predictions are not known yet, so any picture's name
			if e.IsDir() && strings.HasSuffix(e.Name(), ending) {
				names = append(names, e.Name())
			}
		}
	}
	return outdir.Free(dir, names...)
}

// print writes what a person is told.
func (m *manifest) print(w io.Writer, dir string) error {
	for _, im := range m.Images {
		fmt.Fprintf(w, "%s: predicted %s\n", legible.Line(im.Name), legible.Line(im.Predicted))
	}
	_, err := fmt.Fprintf(w, "maps, pictures and manifest.json are in %s\n", dir)
	return err
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
		return o.pictures(files, p)
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
	s := &subjects{labels: ds.Labels, read: func(i int) (image.Image, error) { return ds.Image(i), nil }}
	sum := sha256.New()
	sum.Write(ds.Labels)
	sum.Write(ds.Pixels)
	fmt.Fprint(sum, ds.Index)
	s.identity = fmt.Sprintf("%x", sum.Sum(nil))
	for i, index := range ds.Index {
		s.infos = append(s.infos, explained{Name: strconv.Itoa(index), Label: cifar10.Classes[ds.Labels[i]]})
		s.files = append(s.files, strconv.Itoa(index))
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

// pictures are a part of the pictures from disk. What is no picture is found by its
// first bytes, before anything is computed.
func (o *explainFlags) pictures(paths []string, p part) (*subjects, error) {
	var files []string
	for _, path := range paths {
		in, err := picturesIn(path)
		if err != nil {
			return nil, err
		}
		files = append(files, in...)
	}
	seen := make(map[string]string) // in all parts, so that their pictures can be put together
	var names []string
	for _, file := range files {
		name := photoName(file)
		if other, ok := seen[name]; ok {
			return nil, fmt.Errorf("explain: %s and %s would both be written as %s, want different names", other, file, name)
		}
		seen[name] = file
		names = append(names, name)
	}
	names = fileNames(names, maxImageName, " ")
	files, err := cut(files, p)
	if err != nil {
		return nil, err
	}
	if names, err = cut(names, p); err != nil {
		return nil, err
	}
	s := &subjects{files: names, read: func(i int) (image.Image, error) { return o.photos.read(files[i]) }}
	sum := sha256.New()
	var bad []string
	for _, file := range files {
		if err := o.photos.check(file); err != nil {
			bad = append(bad, err.Error())
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("explain: %w", err)
		}
		fmt.Fprintf(sum, "%q %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		s.infos = append(s.infos, explained{Name: valid(photoName(file)), File: valid(file)})
	}
	switch len(bad) {
	case 0:
	case 1:
		return nil, errors.New(bad[0])
	default:
		return nil, fmt.Errorf("explain: %d of %d files cannot be used, want them elsewhere:\n%s", len(bad), len(files), strings.Join(bad[:min(len(bad), 10)], "\n"))
	}
	s.identity = fmt.Sprintf("%x", sum.Sum(nil))
	return s, nil
}

func photoName(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

// picturesIn returns the pictures of a folder, in the order of their names, or
// the path itself if it is none.
func picturesIn(path string) (files []string, err error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return []string{path}, nil // reading it says what is wrong
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	for _, e := range entries {
		// A name with a dot is hidden; macOS leaves such files beside pictures.
		if camlib.IsPhoto(e.Name()) && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("explain: no .png, .jpg, .gif, .webp, .bmp or .tiff in %s", path)
	}
	return files, nil
}

// lookup returns the methods of those names, each once, of "all" all.
func lookup(names []string) (methods []cam.Method, err error) {
	for _, name := range names {
		some := cam.Methods()
		if name != "all" {
			method, err := cam.Lookup(name)
			if err != nil {
				return nil, err
			}
			some = []cam.Method{method}
		}
		for _, method := range some {
			if !slices.ContainsFunc(methods, func(m cam.Method) bool { return m.Name == method.Name }) {
				methods = append(methods, method)
			}
		}
	}
	return methods, nil
}

// target is what is explained of images, which have labels or none.
func (o *explainFlags) target(model *camlib.Model, labels []uint8) (cam.Target, error) {
	if o.class == "label" {
		if labels == nil {
			return cam.Target{}, errors.New("explain: pictures from disk have no label, want --class predicted, all, or a class")
		}
		return cam.Labels(labels), nil
	}
	target, err := model.Target(o.class)
	if err != nil {
		return cam.Target{}, fmt.Errorf("%w, or label", err)
	}
	return target, nil
}
