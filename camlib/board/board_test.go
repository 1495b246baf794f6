package board_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/board"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestBoard is a small board of the shipped model: its cells are what the metrics say of
// their own, methods that are the same share them, and the rows are ranked.
func TestBoard(t *testing.T) {
	b := backendtest.XLA(t)
	net, err := article.Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	methods := []cam.Method{cam.CAM{}, cam.GradCAM{}, cam.XGradCAM{}, cam.HiResCAM{}, cam.Occlusion{}}
	var said []string
	table, err := board.NewBoard(t.Context(), b, net, cifar10.Sample(), board.Options{
		Methods: methods, Images: 12, Again: 4, Mosaics: 3, Seed: 5,
		Progress: func(done, all int, what string) { said = append(said, what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cam", "gradcam", "xgradcam", "hirescam", "occlusion", "random", "centre", "edge", "uniform"}, said); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	part, err := board.NewBoard(ctx, b, net, cifar10.Sample(), board.Options{
		Methods: methods[1:], Images: 2, Again: 1, Mosaics: 1,
		Progress: func(done, _ int, _ string) {
			if done == 1 {
				cancel()
			}
		},
	})
	if !errors.Is(err, context.Canceled) || len(part.Rows) != 1 || part.Rows[0].Name != "gradcam" || part.Rows[0].Rank != 1 {
		t.Errorf("stopped in the second row: error %v, rows %+v, want the first row and the context's error", err, part.Rows)
	}
	rows := make(map[string]board.Row)
	for i, r := range table.Rows {
		rows[r.Name] = r
		if len(r.Cells) != len(table.Columns) {
			t.Fatalf("%s: %d cells for %d columns", r.Name, len(r.Cells), len(table.Columns))
		}
		if i > 0 && r.Rank < table.Rows[i-1].Rank {
			t.Errorf("%s has rank %v after %v", r.Name, r.Rank, table.Rows[i-1].Rank)
		}
	}
	if x, h := rows["xgradcam"], rows["hirescam"]; x.SameAs != "gradcam" || h.SameAs != "cam" || rows["gradcam"].SameAs != "" || rows["occlusion"].SameAs != "" {
		t.Errorf("xgradcam = %q, hirescam = %q, want gradcam and cam, and no others", x.SameAs, h.SameAs)
	}
	cell := func(row, column string) *metric.Estimate {
		c := table.Column(column)
		if c < 0 {
			t.Fatalf("no column %q", column)
		}
		return rows[row].Cells[c]
	}
	if diff := cmp.Diff(cell("gradcam", "deletion"), cell("xgradcam", "deletion")); diff != "" || rows["xgradcam"].Rank != rows["gradcam"].Rank {
		t.Errorf("the same maps have other values or ranks: %s", diff)
	}
	// The same maps of the network are not the same of one that is blind, where there is no CAM.
	if e := cell("hirescam", "blind"); e == nil || e.Mean != 0 {
		t.Errorf("blind share of hirescam: %v, want 0", e)
	}
	if x, g := cell("xgradcam", "blind"), cell("gradcam", "blind"); x.Mean == g.Mean {
		t.Errorf("blind share of xgradcam %v, want another than that of gradcam, %v", x, g)
	}
	for _, empty := range [][2]string{{"cam", "blind"}, {"gradcam", "completeness"}, {"random", "completeness"}} {
		if e := cell(empty[0], empty[1]); e != nil {
			t.Errorf("%s has %s %v, want none", empty[0], empty[1], e)
		}
	}
	for _, name := range []string{"cam", "hirescam"} { // each its own, though the maps are the same
		if e := cell(name, "completeness"); e == nil || e.Mean > 1e-5 || e.N != 12 {
			t.Errorf("%s: completeness %v, want rounding of 12 images", name, e)
		}
	}
	if e := cell("uniform", "grid-pointing"); math.Abs(e.Mean-0.25) > 1e-6 || e.N != 3 {
		t.Errorf("grid pointing of a uniform map: %v, want 0.25 of 3 mosaics", e)
	}
	if e := cell("uniform", "blind"); math.Abs(e.Mean-0.5) > 1e-6 || e.N != 4 {
		t.Errorf("blind share of a uniform map: %v, want 0.5 of 4 images", e)
	}
	if e := cell("cam", "trigger"); e.Mean < 0.5 {
		t.Errorf("trigger of cam: %v, want most of the map there", e)
	}

	// The metrics of their own, with the board's settings.
	evaluator, err := metric.New(b, net, metric.Options{Steps: 4, Deletion: metric.MeanColor, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	x, err := images.FromDataset(cifar10.Sample(), 0, 12)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := evaluator.Prepare(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(b, net, cam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Explain(t.Context(), cam.GradCAM{}, x, cam.Classes(batch.Classes()...))
	if err != nil {
		t.Fatal(err)
	}
	c, err := batch.Case(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	curves, err := c.Deletion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, err := metric.Bootstrap(curves.AUC(), metric.Resampling{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	got := cell("gradcam", "deletion")
	for _, d := range []float64{got.Mean - want.Mean, got.Low - want.Low, got.High - want.High} {
		if math.Abs(d) > 1e-5 { // batches of other sizes round otherwise
			t.Errorf("deletion of gradcam %v, want %v", got, want)
		}
	}
}

// TestPublished: the board in the tree is of all methods as they are now.
func TestPublished(t *testing.T) {
	b, err := board.Published()
	if err != nil {
		t.Fatal(err)
	}
	if b.Images < 2000 {
		t.Errorf("%d images, want 2,000 or more", b.Images)
	}
	names := map[string]string{} // settings by name
	for _, m := range cam.MethodsFor(article.New(1)) {
		names[m.Spec().Name] = board.Economical(m).Spec().Setting
	}
	for _, baseline := range metric.Baselines(1) {
		names[baseline.Name] = ""
	}
	delete(names, outsider{}.Spec().Name)
	for _, r := range b.Rows {
		if setting, ok := names[r.Name]; !ok || r.Setting != setting {
			t.Errorf("row %s with setting %q, want methods and baselines, each once; the setting is %q", r.Name, r.Setting, setting)
		}
		delete(names, r.Name)
		for k, e := range r.Cells {
			if e != nil && !(e.Low <= e.Mean && e.Mean <= e.High && e.N == b.Columns[k].N) {
				t.Errorf("%s, %s: %v, want a mean of %d inside its interval", r.Name, b.Columns[k].Name, e, b.Columns[k].N)
			}
		}
	}
	if len(names) > 0 {
		t.Errorf("rows for %v are missing; `make leaderboard`", names)
	}
	for _, e := range board.Entries() {
		if b.Column(e.Name) < 0 && e.Name != middle.Name {
			t.Errorf("column %s is missing; `make leaderboard`", e.Name)
		}
	}
}

// TestOverflowNamesTheLayer: a network whose numbers overflow ends the board before a row.
func TestOverflowNamesTheLayer(t *testing.T) {
	net, b := article.New(1), backendtest.XLA(t)
	backendtest.Overflow(t, net.Store, "conv3/weights")
	table, err := board.NewBoard(t.Context(), b, net, cifar10.Sample(), board.Options{Images: 2, Again: 1, Mosaics: 1})
	if !errors.Is(err, metric.ErrNotFinite) || !strings.HasPrefix(err.Error(), "metric: image 0: infinite or NaN from conv3 on, want finite numbers") || len(table.Rows) > 0 {
		t.Errorf("error %v and %d rows, want one that names conv3, and none", err, len(table.Rows))
	}
}
