package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train/progress"
	"github.com/camlab-go/camlab/internal/lock"
	"github.com/camlab-go/camlab/internal/outdir"
)

type explainFlags struct {
	photos photoFlags
	model  modelFlags

	data, split, class, out, backend, shard, input string
	index, methods                                 []string
	asJSON, smooth, null, draw, csv                bool
	channels, samples                              int // of the methods that have such
	options                                        cam.Options
}

func newExplain() *cobra.Command {
	var o explainFlags
	c := &cobra.Command{
		Use:   "explain [IMAGE|FOLDER|TAR|PATTERN|-]...",
		Short: "Draw class activation maps of CIFAR-10 images or of pictures from disk",
		Long: `Explain makes class activation maps and writes into --out

  maps_<method>.npy                     the method's raw values, float32 [n,height,width], [n,classes,height,width]
                                        with --class all, [n,k,height,width] with "top k"; as large as the layer,
                                        those of pixels as the image, those of several layers as the largest of these
  logits.npy                            the scores before the softmax, float32 [n,classes]
  <index or name>_<class>_<method>.png  the image beside its map; none with --pictures=false
  manifest.jsonl                        a line for each image: its row in the arrays, prediction, scores and files;
                                        for one that could not be read the error
  manifest.json                         what they were made of and with, and, of up to 10,000 images, all that
                                        the lines say
  scores.csv                            with --csv, a row for each map

A method's name is written in lower case and without punctuation there (gradcampp).
A picture's or class's name that is too long for a file's, not legal on every
system, or another's but for case is changed and ends in ~ and a checksum; two
pictures of one name are an error.

Images are

  photo.jpg        PNG, JPEG, GIF (its first frame), WebP, BMP or TIFF
  photos           the pictures in a folder, not in folders in it, in the order of their names
  'photos/**'      those in folders in it too. A pattern in quotes, also as in 'photos/**/*.{jpg,png}', names
                   a picture by its path below the part without * ? [ {
  data-00.tar      the pictures in a tar, also .tar.gz, which is not unpacked. KEY.cls or KEY.txt beside
                   KEY.jpg holds the number or name of its class (WebDataset)
  -                a list of files, folders and tars, one a line, on standard input
  --index all      those of --split

A picture is turned upright as its EXIF says, laid over --background where it is
transparent, cut to its largest centered square and made as large as the network
takes it.
Files that are no pictures end the command before it computes; a picture that
turns out to be broken, and any such file in a tar, is left out of the arrays, the
manifest lists it, and the exit status is 1 when the others are done.

Results are written as they come, 32 images at a time. The pictures are where they
belong, the rest is in the folder unfinished in --out, and can be read there: the
arrays have as many rows as are done. After Ctrl-C, a kill or a full disk the same
command goes on from there and leaves the bytes of a run that was not stopped.
With other settings, images or another build of camlab it begins anew, and says
why. Where all is there already, nothing is computed. One run at a time works in
a folder. The memory does not depend on the number of images, but for their names.

With --shard i/n the images are cut into n runs of neighbors, as long as each
other to one image, and only run i, from 0, is explained, into a folder of its
own in --out (shard-00003-of-00008). The arrays of all shards, joined in the
order of the folders' names, are those of one run over all images.
--shard auto is the part of the task in a Slurm array that runs it; auto/n also that
of a pod in an Indexed Job of Kubernetes, or of an array of which some tasks alone
are submitted again.
The files in unfinished and last manifest.json get their places at the end: where
that is, all else is whole.

What is explained is a class's score before the softmax. --class takes

  predicted, label, all, "top 3", a class's name or its number,
  "frog not deer"         why the one and not the other
  "not frog"              what speaks against it
  "probability of frog"   the softmax's output
  "centered frog"         the score less the mean of all classes' scores`,
		Example: `  camlab explain --split sample --index 3,7,11 --method cam,gradcam
  camlab explain --split sample --index 3 --method all --class "top 2"
  camlab explain --model runs/article --class frog photo.jpg
  camlab explain --split test --index all --shard 3/8
  camlab explain 'photos/**/*.jpg' --pictures=false --csv
  find photos -name '*.jpg' -print0 | camlab explain --null -
  camlab explain 'data-*.tar' --class label --shard auto`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := o.run(cmd, args)
			if err != nil {
				return err
			}
			if o.asJSON {
				err = printJSON(cmd.OutOrStdout(), m)
			} else {
				err = m.print(cmd.OutOrStdout(), o.out, o.draw)
			}
			if m.NumFailed > 0 {
				return fmt.Errorf("explain: %d of %d pictures could not be read and have no maps, the manifest lists them; the first: %s", m.NumFailed, m.NumFailed+m.NumImages, m.failure)
			}
			return err
		},
	}
	f := c.Flags()
	o.model.add(f)
	f.StringVar(&o.data, "data", "", dataUsage)
	f.StringVar(&o.split, "split", "test", splitUsage)
	f.StringSliceVar(&o.index, "index", nil, "images of the split, by their index in it, or all; of the sample, by their index in the test set")
	f.StringVar(&o.input, "input", "", ".npy file of images as the network takes them, which skips all preparation: [n,height,width,channels], for most ONNX models [n,channels,height,width]")
	f.StringVar(&o.shard, "shard", "", "explain only part i of n, as in 3/8; the first is 0; auto or auto/n: that of the Slurm or Kubernetes task")
	f.BoolVar(&o.null, "null", false, "the paths on standard input end in NUL, as find -print0 writes them")
	f.BoolVar(&o.draw, "pictures", true, "draw the images beside their maps")
	f.BoolVar(&o.csv, "csv", false, "write scores.csv too: a row for each map")
	f.StringSliceVar(&o.methods, "method", []string{"cam"}, methodUsage())
	f.StringVar(&o.class, "class", "predicted", "what to explain, see above")
	f.BoolVar(&o.smooth, "smooth", false, "average each method over the image, its mirror image, and both at 0.9 and 1.1 times the brightness")
	f.IntVar(&o.channels, "channels", 0, "channels that Score-CAM and its kin mask, those that vary most (default all)")
	f.IntVar(&o.samples, "samples", 0, "masks, noises or steps of the methods that average over some (default each method's own number)")
	f.IntVar(&o.options.Chunk, "chunk", 0, "changed images in one run at most, which bounds the memory (default 128)")
	o.photos.add(f)
	f.StringVar(&o.out, "out", "out/explain", "folder to write into")
	f.StringVar(&o.backend, "backend", "", backendUsage)
	devicesFlag(f, &o.options.Devices)
	f.BoolVar(&o.asJSON, "json", false, jsonUsage+": the manifest")
	return c
}

func methodUsage() string {
	return "all, or some of " + strings.Join(methodNames(), ", ") + "; those of attention are for networks that have it, and are not in all for others"
}

func methodNames() (names []string) {
	for _, m := range cam.Methods() {
		names = append(names, m.Spec().Name)
	}
	return names
}

func (o *explainFlags) run(cmd *cobra.Command, args []string) (*manifest, error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if len(o.methods) == 0 {
		return nil, fmt.Errorf("explain: no method, want some of %s", strings.Join(methodNames(), ", "))
	}
	if _, err := lookup(o.methods, &network.Network{}); err != nil { // before a model is read
		return nil, err
	}
	if o.channels < 0 || o.samples < 0 {
		return nil, fmt.Errorf("explain: --channels %d, --samples %d, want 0 or more", o.channels, o.samples)
	}
	part, err := parsePart(o.shard)
	if err != nil {
		return nil, err
	}
	open := openerWith(cmd, o.backend, o.options.Devices)
	m, err := o.model.open(o.input != "", open)
	if err != nil {
		return nil, err
	}
	for _, note := range m.notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "explain: %s: %s\n", o.model.name, note)
	}
	net := m.net
	methods, err := lookup(o.methods, net)
	if err != nil {
		return nil, err
	}
	s, err := o.subjects(ctx, m, args, cmd.InOrStdin(), part)
	if err != nil {
		return nil, err
	}
	if s.len() > 1 {
		if err := net.Alone(); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "explain: %s: %v\n", o.model.name, err)
		}
	}
	backend, err := open()
	if err != nil {
		return nil, err
	}
	explainer, err := cam.New(backend, net, o.options)
	if err != nil {
		return nil, err
	}
	if methods, err = fitting(cmd, explainer, net, o.input != "", o.methods, methods); err != nil {
		return nil, err
	}
	model := &camlib.Model{Network: net, Backend: backend, Explainer: explainer}
	if _, err := o.target(model, s.labels); err != nil {
		return nil, err
	}
	if i := slices.Index(s.labels, -1); i >= 0 && o.class == "label" {
		return nil, fmt.Errorf("explain: %s has no label that is a class of the network, want one of every image, or another --class", s.describe(i).File)
	}
	if o.shard != "" {
		o.shard, o.out = part.String(), filepath.Join(o.out, part.folder())
	}
	v := readVersions()
	result := &manifest{
		Model: o.model.name, ModelSHA256: m.sha, Shard: o.shard, Classes: net.Classes, Class: o.class,
		Records: recordsFile, Layer: o.model.layer, Smooth: o.smooth, Resize: images.AlignCorners.String(), Backend: camlib.Describe(backend), Versions: v,
	}
	if !camlib.IsPureGo(backend) {
		result.Plugin = filepath.Base(v.Plugin)
	}
	result.Versions.Plugin = result.Plugin
	switch {
	case o.input != "":
		result.Photos = "arrays, as they are"
	case len(args) > 0:
		result.Photos = o.photos.policy(m)
	default:
		result.Split = o.split
	}
	for k, method := range methods {
		method = cam.WithSamples(cam.WithChannels(method, o.channels), o.samples)
		spec := method.Spec()
		if o.smooth {
			method = cam.Smoothed{Method: method, Flips: true, Scales: []float64{0.9, 1, 1.1}}
		}
		methods[k] = method
		result.Methods = append(result.Methods, spec.Name)
		result.Maps = append(result.Maps, mapFile{Method: spec.Name, File: "maps_" + cam.FileName(spec.Name) + ".npy", Signed: spec.Signed})
	}
	if o.csv {
		result.Scores = scoresFile
	}
	settings, err := o.settings(cmd, m, result, s)
	if err != nil {
		return nil, err
	}
	result.Settings = settings.sum()

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
	if done := finished(o.out, result.Settings); done != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "explain: %s has these results already; remove it to compute them again\n", o.out)
		return done, nil
	}
	if _, err := os.Stat(filepath.Join(o.out, manifestFile)); err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "explain: %s has the results of another run, in whose place these come; those of its files that have other names stay: another --out keeps them apart\n", o.out)
	}
	if err := result.free(o.out); err != nil {
		return nil, fmt.Errorf("explain: --out: %w", err)
	}
	j, err := o.journal(cmd, settings, result, s.len())
	if err != nil {
		return nil, err
	}
	w := &explaining{subjects: s, flags: o, journal: j, methods: methods, model: model, manifest: result, slugs: fileNames(result.Classes, maxClassName, " ", "_")}
	if err = w.all(ctx, progress.New(cmd.ErrOrStderr())); err == nil {
		err = w.finish()
	}
	if err == nil {
		return result, nil
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
	done := whole(j.units, len(methods), s.len())
	if ctx.Err() != nil {
		return nil, fmt.Errorf("explain: stopped; %d of %d images are done, and the same command goes on: %w", done, s.len(), context.Cause(ctx))
	}
	return nil, fmt.Errorf("%w; %d of %d images are done, and the same command goes on after them", err, done, s.len())
}

// journal opens the journal in --out and says what is to become of what it holds.
func (o *explainFlags) journal(cmd *cobra.Command, s settings, m *manifest, images int) (*journal, error) {
	j, differ, err := openJournal(o.out, s, m.Maps, o.csv)
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

// lookup returns the methods of those names, each once, of "all" all for a network.
func lookup(names []string, net *network.Network) (methods []cam.Method, err error) {
	for _, name := range names {
		some := cam.MethodsFor(net)
		if name != "all" {
			method, err := cam.Lookup(name)
			if err != nil {
				return nil, err
			}
			some = []cam.Method{method}
		}
		for _, method := range some {
			if !slices.ContainsFunc(methods, func(m cam.Method) bool { return m.Spec().Name == method.Spec().Name }) {
				methods = append(methods, method)
			}
		}
	}
	return methods, nil
}

// target is what is explained of images, which have labels or none.
func (o *explainFlags) target(model *camlib.Model, labels []int) (cam.Target, error) {
	if o.class == "label" {
		if labels == nil {
			return cam.Target{}, errors.New("explain: pictures from disk have no label, want --class predicted, all, or a class")
		}
		return cam.Classes(labels...), nil
	}
	target, err := model.Target(o.class)
	if err != nil {
		return cam.Target{}, fmt.Errorf("%w, or label", err)
	}
	return target, nil
}
