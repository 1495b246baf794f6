package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/report"
)

// hostile are names that a page must show and not obey, or has no room for.
var hostile = []string{
	`<img src=x onerror=document.title='obeyed'>.png`,
	`"><script>document.title='obeyed'</script>`,
	`' onmouseover='document.title=1`,
	"javascript:alert(1)",
	"{{.Title}} ${1+1} &lt;b&gt;",
	"写真 صورة 😀",
	strings.Repeat("a-very-long-name", 12),
}

var classes = []string{"cat", "dog", "frog <b>", "deer"}

// page is n images of two methods, one with signs, a third of them wrong. Image i has
// the score (i*7919)%1000 / 100.
func page(n int) *report.Page {
	p := &report.Page{
		Title:   "Maps of <b>many</b> images",
		Facts:   []report.Fact{{Name: "model", Value: "article & <i>more</i>"}, {Name: "its weights", Value: strings.Repeat("0123456789abcdef", 4)}},
		Methods: []report.Method{{Name: "cam", Unit: "score", Signed: true}, {Name: "gradcam++", Unit: "activation"}},
		Failed:  []report.Failure{{Name: hostile[0], Error: "not a <picture>"}},
		Draw:    drawn,
	}
	for i := range n {
		im := report.Image{Name: fmt.Sprintf("image %d", i), Predicted: classes[i%4], Label: classes[i%4]}
		if i%3 == 0 {
			im.Label = classes[(i+1)%4]
		}
		if i < len(hostile) {
			im.Name = hostile[i]
		}
		score := float32(i*7919%1000) / 100
		im.Maps = []report.Map{
			{Method: 0, Class: im.Predicted, Score: score, Outcome: "ok", Link: fmt.Sprintf("./image%%20%d_cam.png", i)},
			{Method: 1, Class: im.Predicted, Score: score - 0.5, Outcome: "no positive evidence"},
		}
		p.Images = append(p.Images, im)
	}
	return p
}

// drawn are an image of 32×32 pixels, magnified as explain does, and its maps.
func drawn(i int) (*report.Pictures, error) {
	img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	m := images.Map{H: 8, W: 8, Values: make([]float32, 64)}
	for y := range 32 {
		for x := range 32 {
			img.SetNRGBA(x, y, color.NRGBA{R: uint8(8*x + i), G: uint8(8 * y), B: uint8(40 * (i % 5)), A: 255})
		}
	}
	for k := range m.Values {
		m.Values[k] = float32(math.Sin(float64(k*(i+3)) / 9))
	}
	pictures := &report.Pictures{}
	var err error
	if pictures.Image, err = figure.Magnify(img, 6); err != nil {
		return nil, err
	}
	large, err := m.Resize(32, 32, images.AlignCorners)
	if err != nil {
		return nil, err
	}
	for _, signed := range []bool{true, false} {
		var s figure.Shading
		if signed {
			s.Scale, err = figure.DivergingOf(m)
		} else {
			s.Scale, err = figure.Sequential(0, float64(m.Max()))
		}
		if err != nil {
			return nil, err
		}
		heat, err := figure.HeatMap(large, s, 6)
		if err != nil {
			return nil, err
		}
		where, err := figure.Peak(m)
		if err != nil {
			return nil, err
		}
		d := report.Drawn{Picture: heat, Where: where}
		d.Low, d.High = s.Scale.Range()
		pictures.Maps = append(pictures.Maps, d)
	}
	return pictures, nil
}

func written(t *testing.T, p *report.Page) string {
	t.Helper()
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// between returns what is between two texts, the first time.
func between(t *testing.T, text, begin, end string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, begin)
	inside, _, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("no %s … %s in the page", begin, end)
	}
	return inside
}

// TestConcurrentItems: images are drawn at the same time, and come in their order.
func TestConcurrentItems(t *testing.T) {
	if text, again := written(t, page(70)), written(t, page(70)); again != text {
		t.Error("the same images make another page")
	}
}

func TestPageHoldsNothingForeign(t *testing.T) {
	text := written(t, page(70))
	if !strings.Contains(text[:512], report.Generator) {
		t.Errorf("the page begins %q, without %s", text[:512], report.Generator)
	}
	for _, bad := range []string{"<img src=x", "<script>document", `"javascript:`, "<b>many", "<i>more", "<picture>", "frog <b>", "http://", "https://", "//cdn"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts, want 1", n)
	}
	// What may run and style is what is there, to the byte.
	policy := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(between(t, text, `Content-Security-Policy" content="`, `"`))
	for _, part := range []struct{ tag, directive string }{{"script", "script-src"}, {"style", "style-src"}} {
		sum := sha256.Sum256([]byte(between(t, text, "<"+part.tag+">", "</"+part.tag+">")))
		if want := part.directive + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("policy %q, want %s", policy, want)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q, want that nothing else is allowed", policy)
	}
}

func TestPageSays(t *testing.T) {
	text := written(t, page(70))
	right := 0
	for i := range 70 {
		if i%3 != 0 {
			right++
		}
	}
	for what, want := range map[string]string{
		"how many are right":     fmt.Sprintf("70 images; of 70 with a label %d are predicted right; 1 could not be read.", right),
		"a map in words":         `alt="cam map of deer for image image 11: largest at `,
		"the range of colors":    `data-low="-1" data-high="1"`,
		"what a map cannot show": "<em>no positive evidence</em>",
		"a link":                 `data-link="./image%20`,
		"a score":                `<data value="9.22">9.22</data>`, // of image 38: 38*7919 = 300922
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in the page", what, want)
		}
	}
	for _, absent := range []string{"<em>ok</em>", `"NaN"`} {
		if strings.Contains(text, absent) {
			t.Errorf("%q in the page", absent)
		}
	}
	unlabeled := page(2)
	for i := range unlabeled.Images {
		unlabeled.Images[i].Label = ""
	}
	unlabeled.Failed, unlabeled.Methods = nil, unlabeled.Methods[:1]
	for i := range unlabeled.Images {
		unlabeled.Images[i].Maps = unlabeled.Images[i].Maps[:1]
	}
	unlabeled.Draw = func(i int) (*report.Pictures, error) {
		p, err := drawn(i)
		if err == nil {
			p.Maps = p.Maps[:1]
		}
		return p, err
	}
	text = written(t, unlabeled)
	for _, absent := range []string{`name="label"`, `name="answer"`, `name="method"`, "data-answer", "could not be read", "bar unsigned\"", "No signs"} {
		if strings.Contains(text, absent) {
			t.Errorf("%q in a page without labels, with one method", absent)
		}
	}
}

var dataURL = regexp.MustCompile(`<img src="data:image/(png|jpeg);base64,([^"]*)" width="(\d+)" height="(\d+)"`)

// TestPicturesInThePage is that small images are in it pixel by pixel, and large ones
// smaller.
func TestPicturesInThePage(t *testing.T) {
	p := page(1)
	decoded := func(p *report.Page) (all []image.Image, kinds []string) {
		for _, m := range dataURL.FindAllStringSubmatch(written(t, p), -1) {
			file, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(m[2], "&#43;", "+"))
			if err != nil {
				t.Fatal(err)
			}
			decode := png.Decode
			if m[1] == "jpeg" {
				decode = jpeg.Decode
			}
			img, err := decode(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if size := fmt.Sprint(img.Bounds().Dx(), img.Bounds().Dy()); size != m[3]+" "+m[4] {
				t.Errorf("a picture of %s pixels is said to have %s %s", size, m[3], m[4])
			}
			all, kinds = append(all, img), append(kinds, m[1])
		}
		return all, kinds
	}
	all, kinds := decoded(p)
	if len(all) != 3 || kinds[0] != "png" || all[0].Bounds().Dx() != 32 {
		t.Fatalf("%d pictures, %v, want three PNG of 32×32: what was magnified is not in the page as it was drawn", len(all), kinds)
	}
	if got, want := color.NRGBAModel.Convert(all[0].At(5, 9)), (color.NRGBA{R: 40, G: 72, A: 255}); got != want {
		t.Errorf("pixel (5, 9): %v, want %v", got, want)
	}
	stripes := image.NewGray(image.Rect(0, 0, 12, 12)) // three lines across of four rows each
	for i := range stripes.Pix {
		stripes.Pix[i] = uint8(i / 48 * 100)
	}
	p.Draw = func(i int) (*report.Pictures, error) {
		pictures, err := drawn(i)
		pictures.Image = stripes
		return pictures, err
	}
	all, _ = decoded(p)
	if size, last := all[0].Bounds().Size(), color.GrayModel.Convert(all[0].At(0, 2)).(color.Gray).Y; size != image.Pt(3, 3) || last != 200 {
		t.Errorf("three lines across are %v pixels, the last %d; want 3×3, and 200", size, last)
	}
	photo := image.NewNRGBA(image.Rect(10, 20, 310, 220)) // 300×200, not at the origin
	for y := range 200 {
		for x := range 300 {
			photo.SetNRGBA(10+x, 20+y, color.NRGBA{R: uint8(x * 255 / 300), G: uint8(y), B: 90, A: 255})
		}
	}
	p.Draw = func(i int) (*report.Pictures, error) {
		pictures, err := drawn(i)
		pictures.Image = photo
		return pictures, err
	}
	for side, want := range map[int]image.Point{0: image.Pt(224, 149), 96: image.Pt(96, 64), 400: image.Pt(300, 200), 30: image.Pt(30, 20)} {
		p.Side = side
		all, kinds := decoded(p)
		if size := all[0].Bounds().Size(); size != want || (kinds[0] == "jpeg") != (want.X > 64) {
			t.Errorf("side %d: a %s of %v, want %v, JPEG above 64", side, kinds[0], size, want)
		}
		x, y := want.X*3/4, want.Y/4
		got := color.NRGBAModel.Convert(all[0].At(x, y)).(color.NRGBA)
		if math.Abs(float64(got.R)-191) > 8 || math.Abs(float64(got.G)-50) > 8 || math.Abs(float64(got.B)-90) > 8 {
			t.Errorf("side %d: pixel three quarters to the right and one down is %v, want about {191 50 90}", side, got)
		}
	}
}

func TestWriteSaysWhatIsWrong(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		what, want string
		change     func(p *report.Page)
	}{
		{"nothing", "report: no images, want at least one", func(p *report.Page) { p.Images = nil }},
		{"no Draw", "report: no Draw, want the function", func(p *report.Page) { p.Draw = nil }},
		{"side", "report: side of -1 pixels, want at least 1, or 0 for 224", func(p *report.Page) { p.Side = -1 }},
		{"no maps", "report: image image 7: no maps, want at least one", func(p *report.Page) { p.Images[7].Maps = nil }},
		{"method", "report: image image 8: a map of method 2, want 0 to 1", func(p *report.Page) { p.Images[8].Maps[1].Method = 2 }},
		{"fewer pictures", "report: image image 8: 2 pictures of maps, want 1", func(p *report.Page) { p.Images[8].Maps = p.Images[8].Maps[:1] }},
		{"no image", "report: image image 9: no image", func(p *report.Page) {
			p.Draw = func(i int) (*report.Pictures, error) {
				pictures, err := drawn(i)
				if i == 9 {
					pictures.Image = nil
				}
				return pictures, err
			}
		}},
		{"Draw fails", "broken", func(p *report.Page) {
			p.Draw = func(i int) (*report.Pictures, error) { return nil, broken }
		}},
	} {
		p := page(10)
		test.change(p)
		if err := p.Write(&strings.Builder{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.what, err, test.want)
		}
	}
	if err := page(1).Write(full{}); err == nil || !strings.Contains(err.Error(), "report: no space") {
		t.Errorf("a full disk: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// A page of one image and its map.
func ExamplePage_Write() {
	m := images.Map{H: 2, W: 2, Values: []float32{0, 3, -1, 1}}
	scale, err := figure.DivergingOf(m)
	if err != nil {
		panic(err)
	}
	heat, err := figure.HeatMap(m, figure.Shading{Scale: scale}, 8)
	if err != nil {
		panic(err)
	}
	p := &report.Page{
		Title:   "One map",
		Methods: []report.Method{{Name: "cam", Unit: "score", Signed: true}},
		Images:  []report.Image{{Name: "gray", Predicted: "cat", Maps: []report.Map{{Class: "cat", Score: 0.75}}}},
		Draw: func(int) (*report.Pictures, error) {
			return &report.Pictures{
				Image: image.NewGray(image.Rect(0, 0, 16, 16)),
				Maps:  []report.Drawn{{Picture: heat, Low: -3, High: 3, Where: "largest at the upper right"}},
			}, nil
		},
	}
	var html strings.Builder
	if err := p.Write(&html); err != nil {
		panic(err)
	}
	fmt.Println(strings.Contains(html.String(), `alt="cam map of cat for image gray: largest at the upper right"`))
	// Output: true
}
