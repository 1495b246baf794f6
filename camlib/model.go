package camlib

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"

	"github.com/gomlx/compute"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/best"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/card"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
)

// Model is a network on a backend, ready to be explained by many goroutines at
// once.
type Model struct {
	Network   *network.Network
	Backend   compute.Backend
	Explainer *cam.Explainer

	// Card says what is done to pictures before the network takes them; nil takes them as
	// they are.
	Card *card.Card
	// Notes are what a person is to know of a network that [Open] made.
	Notes []string
}

// Article returns the article's network with the weights that camlib ships, on
// the default backend; see [Backend].
//
// Like Backend, it returns the same network every time, with the graphs that are
// compiled already, as long as its weights are those that were shipped. To train
// on from them take a network of your own, of [article.Pretrained].
func Article() (*Model, error) {
	backend, err := Backend("")
	if err != nil {
		return nil, err
	}
	shipped.mu.Lock()
	defer shipped.mu.Unlock()
	if m := shipped.model; m == nil || m.Backend != backend || !article.IsPretrained(m.Network) {
		n, err := article.Pretrained()
		if err != nil {
			return nil, err
		}
		if shipped.model, err = New(n, backend); err != nil {
			return nil, err
		}
	}
	m := *shipped.model
	return &m, nil
}

// shipped is what Article returns.
var shipped struct {
	mu    sync.Mutex
	model *Model
}

// Best returns the network of package best, of the article's family, with the weights that
// camlib ships, on the default backend.
func Best() (*Model, error) {
	n, err := best.Pretrained()
	if err != nil {
		return nil, err
	}
	backend, err := Backend("")
	if err != nil {
		return nil, err
	}
	return New(n, backend)
}

// New returns a network on a backend, ready to be explained at the layer that it is
// explained at ([network.Network.At]).
func New(n *network.Network, backend compute.Backend) (*Model, error) {
	explainer, err := cam.New(backend, n, cam.Options{})
	if err != nil {
		return nil, err
	}
	return &Model{Network: n, Backend: backend, Explainer: explainer}, nil
}

// Load returns a network with the weights of a checkpoint folder of package train, or of a
// .safetensors file, on the default backend. The weights need not be in its store before.
func Load(n *network.Network, path string) (*Model, error) {
	if n == nil {
		return nil, errors.New("camlib: load: no network, want the one whose weights these are")
	}
	backend, err := Backend("")
	if err != nil {
		return nil, err
	}
	if _, err := n.Summary(backend, images.Size{}); err != nil { // its layers make the variables
		return nil, err
	}
	if err := n.Load(path); err != nil {
		return nil, err
	}
	return New(n, backend)
}

// Explain makes one map for each image, by a method named as in [cam.Lookup], such as
// "cam" or "gradcam"; [cam.Methods] has all. class is what [Model.Target] takes; "all"
// and "top 3" make several maps for each.
//
// The images have one size, unless the model has a Card, and transparent ones are laid over
// white; see [images.Square] and [images.Over]. A network whose Input has one channel sees them gray. Images of another size than those that the network
// was trained on give maps all the same, with a [Maps].Note that says so. Those of 1,024
// times as many pixels are an error.
func (m *Model) Explain(method, class string, imgs ...image.Image) (*Maps, error) {
	how, err := cam.Lookup(method)
	if err != nil {
		return nil, err
	}
	target, err := m.Target(class)
	if err != nil {
		return nil, err
	}
	return m.ExplainBy(context.Background(), how, target, imgs...)
}

// ExplainBy is [Model.Explain] by a method and a target of package cam, such as
// cam.RISE{Masks: 1000} and cam.Contrast(3, 5). It stops with ctx's error when that is
// done.
func (m *Model) ExplainBy(ctx context.Context, method cam.Method, target cam.Target, imgs ...image.Image) (*Maps, error) {
	if m == nil || m.Explainer == nil || m.Network == nil {
		return nil, errors.New("camlib: explain: no model, want one of New or Article")
	}
	seen := make([]image.Image, len(imgs))
	for i, img := range imgs {
		var err error
		if m.Card != nil {
			seen[i], _, err = m.Card.Preparation().Picture(img)
		} else {
			seen[i], err = images.Flat(img)
		}
		if err != nil {
			return nil, fmt.Errorf("camlib: explain: image %d: %w", i, err)
		}
	}
	batch, err := images.FromImages(seen...)
	if err != nil {
		return nil, err
	}
	want := m.Network.Input
	if want.Channels == 1 {
		batch = batch.Gray()
	}
	if pixels := want.Height * want.Width; pixels > 0 && batch.Height*batch.Width/1024 > pixels {
		return nil, fmt.Errorf("camlib: explain: %s, want at most 1,024 times as many pixels; images.Square(img, %d) makes images fit", m.far(batch), want.Height)
	}
	result, err := m.Explainer.Explain(ctx, method, batch, target)
	if errors.Is(err, cam.ErrShape) && want.Height > 0 {
		err = fmt.Errorf("%w; images.Square(img, %d) makes images fit", err, want.Height)
	}
	if err != nil {
		return nil, err
	}
	maps := &Maps{Result: result, Images: seen, Opacity: 0.5, method: method.Spec(), target: target, network: m.Network}
	if m.Card != nil {
		maps.Preparation = m.Card.Preparation()
	}
	if want.Height > 0 && (batch.Height != want.Height || batch.Width != want.Width) {
		maps.Note = fmt.Sprintf("%s; images.Square(img, %d) makes images fit", m.far(batch), want.Height)
	}
	return maps, nil
}

// far says how large images are and what the network was trained on.
func (m *Model) far(x images.Batch) string {
	want := m.Network.Input
	return fmt.Sprintf("images of %d×%d, but the network was trained on %d×%d, %s", x.Width, x.Height, want.Width, want.Height, want.Text)
}

// Classes returns the names of the network's n classes: its own, or "0", "1", …
// where it gives none.
func (m *Model) Classes(n int) []string {
	names := make([]string, n)
	for c := range names {
		names[c] = m.Network.Class(c)
	}
	return names
}

// String says which network this is, with how many weights and classes, and on
// which backend.
func (m *Model) String() string {
	if m == nil || m.Network == nil {
		return "no model"
	}
	text := m.Network.String()
	if m.Backend != nil {
		text += ", on " + Describe(m.Backend)
	}
	return text
}

// Surest returns, for each class, the position in a data set of the image with the highest
// score for it among those of the class that the network takes for it; −1 where there is
// none.
func (m *Model) Surest(ctx context.Context, ds images.Dataset) ([]int, error) {
	if m == nil || m.Network == nil {
		return nil, errors.New("camlib: surest: no model, want one of New or Article")
	}
	if err := images.CheckDataset(ds); err != nil {
		return nil, fmt.Errorf("camlib: surest: %w", err)
	}
	evaluator, err := train.NewEvaluator(m.Backend, m.Network)
	if err != nil {
		return nil, err
	}
	scores, err := evaluator.Scores(ctx, ds)
	if err != nil {
		return nil, err
	}
	best := slices.Repeat([]int{-1}, len(ds.Classes()))
	k := len(scores) / ds.Len()
	for i, label := range images.Labels(ds) {
		of := scores[i*k : (i+1)*k]
		if label < k && of[label] == slices.Max(of) && (best[label] < 0 || of[label] > scores[best[label]*k+label]) {
			best[label] = i
		}
	}
	return best, nil
}
