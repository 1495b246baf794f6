package notebook

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute"
	"github.com/janpfeifer/gonb/gonbui"

	"github.com/camlab-go/camlab/camlib/figure/curve"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/notebook/live"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/camlib/train/progress"
)

// Train is [train.Train] with a progress bar and with loss and F1 curves that grow
// while it runs. The curves of the last epoch stay, as pictures that need no
// network. Outside a notebook progress is a line in a terminal, else log lines.
//
// Interrupting the cell saves the checkpoint and says how to go on. What XLA is
// doing cannot be interrupted: when it compiles or computes for longer than
// [Grace] after that, the cell ends without waiting for it. The checkpoint is saved
// when XLA has come to its end; where a cell is a program of its own, the last one
// stays as it is.
func Train(backend compute.Backend, n *network.Network, trainSet, testSet images.Dataset, config train.Config) *train.History {
	return watched(&watch{}, backend, n, trainSet, testSet, config)
}

// TrainBriefly is [Train] that leaves a line and no curves, for many trainings in one
// cell; [Compare] draws them together.
func TrainBriefly(backend compute.Backend, n *network.Network, trainSet, testSet images.Dataset, config train.Config) *train.History {
	return watched(&watch{brief: true}, backend, n, trainSet, testSet, config)
}

// watched trains with w as the output.
func watched(w *watch, backend compute.Backend, n *network.Network, trainSet, testSet images.Dataset, config train.Config) *train.History {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.id, w.lines = gonbui.UniqueId(), progress.New(os.Stderr)
	config.OnStep, config.OnEpoch, config.OnNotice = w.step, w.epoch, w.notice
	interrupts, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-done:
			return
		}
		select {
		case <-time.After(Grace):
			w.abandon(config.Dir)
		case <-done:
		}
	}()
	w.begin()
	history, err := train.Train(ctx, backend, n, trainSet, testSet, config)
	close(done)
	w.end()
	Check(err)
	return history
}

// Grace is how long [Train] waits, after an interrupt, for XLA to come to the
// end of what it is doing.
const Grace = time.Second

// Curves displays the loss and the F1 curves of a training.
func Curves(h *train.History) {
	loss, f1 := charts(h.Epochs)
	ShowPNG(loss.PNG())
	ShowPNG(f1.PNG())
}

// Compare displays the curves of several trainings in the same two charts: the
// test loss of each, with its training loss thin in the same color, and the macro-F1.
// names[i] is the name of histories[i].
func Compare(names []string, histories []*train.History) {
	loss, f1, err := comparison(names, histories)
	Check(err)
	ShowPNG(loss.PNG())
	ShowPNG(f1.PNG())
}

func comparison(names []string, histories []*train.History) (loss, f1 curve.Chart, err error) {
	if len(names) != len(histories) {
		return loss, f1, fmt.Errorf("notebook: compare: %d names for %d histories, want one for each", len(names), len(histories))
	}
	loss = curve.Chart{Title: "Loss: on the test images, and thin on the training images", XLabel: "epoch", YLabel: "loss (nats)"}
	f1 = curve.Chart{Title: "Macro-F1 on the test images", XLabel: "epoch", YLabel: "macro-F1", Y: [2]float64{0, 1}}
	for i, h := range histories {
		var training, test, macro []float64
		for _, e := range h.Epochs {
			training, test, macro = append(training, e.TrainLoss), append(test, e.Test.Loss), append(macro, e.Test.MacroF1)
		}
		c := curve.Color(i)
		loss.Series = append(loss.Series, curve.Series{Name: names[i], Y: test, Color: c, Width: 2.5}, curve.Series{Name: names[i] + ", train", Y: training, Color: c, Width: 0.8})
		f1.Series = append(f1.Series, curve.Series{Name: names[i], Y: macro, Color: c, Width: 2.5})
	}
	return loss, f1, nil
}

// charts returns the article's two figures for the epochs so far.
func charts(epochs []train.Epoch) (loss, f1 curve.Chart) {
	var training, test, macro []float64
	var classes []string
	var perClass [][]float64
	for _, e := range epochs {
		training, test, macro = append(training, e.TrainLoss), append(test, e.Test.Loss), append(macro, e.Test.MacroF1)
		for k, s := range e.Test.PerClass {
			if k == len(classes) {
				classes, perClass = append(classes, s.Class), append(perClass, nil)
			}
			perClass[k] = append(perClass[k], s.F1)
		}
	}
	return curve.Loss(training, test), curve.F1(macro, classes, perClass)
}

// watch is the output of a running training: one HTML output that is replaced
// as it goes on.
type watch struct {
	id    string
	lines *progress.Lines // outside a notebook
	brief bool            // without curves

	mu       sync.Mutex // abandon comes from outside the training
	silent   bool       // after abandon: the training shows nothing any more
	epochs   []train.Epoch
	pictures string // the curves so far, as HTML
	notices  []string
	shown    time.Time
}

// begin fills the seconds before the first step.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.update(w.lined("compiling the training step"))
}

func (w *watch) step(p train.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
		return
	}
	if !gonbui.IsNotebook {
		w.lines.Step(p)
		return
	}
	if time.Since(w.shown) < time.Second && p.Step < p.Steps {
		return
	}
	w.shown = time.Now()
	part := (float64(p.Epoch-1) + float64(p.Step)/float64(p.Steps)) / float64(p.Epochs)
	w.update(fmt.Sprintf(`<progress value="%.4f" max="1" style="width:22em"></progress> %s%s`, part, w.lined(progress.Step(p)), w.pictures))
}

func (w *watch) epoch(e train.Epoch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
		return
	}
	w.epochs = append(w.epochs, e)
	if !gonbui.IsNotebook {
		w.lines.Epoch(e)
		return
	}
	var b strings.Builder
	if e.Warning != "" || w.brief {
		b.WriteString("<br>" + html.EscapeString(progress.Epoch(e)))
	}
	if w.brief {
		w.pictures = b.String()
		return
	}
	loss, f1 := charts(w.epochs)
	for _, c := range []curve.Chart{loss, f1} {
		if svg, err := c.SVG(); err == nil { // a curve that cannot be drawn must not stop a training
			b.WriteString("<br>" + inlineImage("image/svg+xml", svg))
		}
	}
	w.pictures = b.String()
}

func (w *watch) notice(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
		return
	}
	w.notices = append(w.notices, text)
	if !gonbui.IsNotebook {
		w.lines.Notice(text)
	}
}

// end leaves a line in place of the bar and the curves as pictures below.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent {
		return
	}
	w.lines.Clear()
	w.update(w.summary())
	if len(w.epochs) > 0 && !w.brief {
		Curves(&train.History{Epochs: w.epochs})
	}
}

// abandon ends the cell while XLA is busy, and says where training again goes
// on. Checkpoints are written whole or not at all, so the last one is good.
func (w *watch) abandon(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines.Clear()
	w.update(w.summary() + w.pictures)
	w.silent = true
	if live.Running() {
		live.GiveUp(leftBehind(dir))
		return
	}
	Check(abandoned(dir, w.epochs))
}

// leftBehind says how a training goes on that ends in the background.
func leftBehind(dir string) error {
	const why = "notebook: train: interrupted while XLA is busy; the training ends when that is done"
	if dir == "" {
		return fmt.Errorf("%s, and no checkpoint folder was given: set Dir to keep one", why)
	}
	return fmt.Errorf("%s, and saves its checkpoint; then train again with the same settings and folder %s to go on from it", why, dir)
}

// abandoned says what a training is left with whose last steps are lost.
func abandoned(dir string, epochs []train.Epoch) error {
	const why = "notebook: train: interrupted while XLA was busy, so the steps since the last checkpoint are lost"
	if dir == "" {
		return fmt.Errorf("%s, and no checkpoint folder was given: set Dir to keep one", why)
	}
	if _, err := os.Stat(filepath.Join(dir, train.TrainingFile)); err != nil {
		return fmt.Errorf("%s: there is none in %s yet; train again to begin anew", why, dir)
	}
	last := ""
	if len(epochs) > 0 {
		last = fmt.Sprintf(", epoch %d", epochs[len(epochs)-1].Epoch)
	}
	return fmt.Errorf("%s; train again with the same settings and folder %s to go on from that one%s", why, dir, last)
}

func (w *watch) update(content string) {
	if gonbui.IsNotebook {
		gonbui.UpdateHTML(w.id, content)
	}
}

func (w *watch) summary() string {
	if len(w.epochs) == 0 {
		return w.lined("no epoch finished")
	}
	return w.lined(progress.Epoch(w.epochs[len(w.epochs)-1]))
}

// lined returns the notices and a text as HTML.
func (w *watch) lined(text string) string {
	all := slices.Concat(w.notices, []string{text})
	return strings.ReplaceAll(html.EscapeString(strings.Join(all, "\n")), "\n", "<br>")
}
