package camlib

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // the formats that are read
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"github.com/camlab-go/camlab/internal/picture"
)

const photoFormats = "a PNG, JPEG, GIF, WebP, BMP or TIFF picture"

// ErrTooLarge is the kind of error of a picture that is larger than
// [PhotoOptions].MaxPixels.
var ErrTooLarge = errors.New("picture too large")

// PhotoOptions say how a picture is read. The zero value is what [ReadPhoto] does.
type PhotoOptions struct {
	// Background is what shows where the picture is transparent; nil is white.
	Background color.Color
	// MaxPixels is the largest picture that is decoded, width times height; 0 is
	// 128 million. Decoding takes 1 to 8 bytes a pixel, a progressive JPEG up to 15.
	MaxPixels int
}

// ReadPhoto reads a picture from disk: PNG, JPEG, GIF (its first frame), WebP, BMP or
// TIFF, whatever its name says. It is turned upright as its EXIF orientation says,
// and laid over white where it is transparent. A colour profile is not applied.
//
// A file that is none of these, no file, or a picture of more than 128 million pixels
// is an error; [PhotoOptions.Read] reads larger ones, or over another background.
func ReadPhoto(path string) (image.Image, error) { return PhotoOptions{}.Read(path) }

// Read is [ReadPhoto] with options. It fails with an error of kind [ErrTooLarge]
// before it decodes a picture that is larger than they allow.
func (o PhotoOptions) Read(path string) (image.Image, error) {
	f, config, format, err := o.open(path)
	if err != nil {
		return nil, photoError(path, err)
	}
	defer f.Close()
	photo, err := decode(f)
	if err != nil {
		return nil, photoError(path, err)
	}
	canvas := photo.Bounds()
	if format == "gif" { // whose first frame may be smaller
		canvas = image.Rect(0, 0, config.Width, config.Height)
	}
	photo = picture.Over(photo, canvas, o.Background)
	return picture.Turned(photo, orientation(f, format)), nil
}

// Check returns the error that [PhotoOptions.Read] would return after the file's
// header: that it is no picture, or too large a one.
func (o PhotoOptions) Check(path string) error {
	f, _, _, err := o.open(path)
	if err != nil {
		return photoError(path, err)
	}
	return f.Close()
}

// photoError says which file an error is of.
func photoError(path string, err error) error {
	if pathError := (*os.PathError)(nil); errors.As(err, &pathError) {
		return fmt.Errorf("camlib: photo: %w", err) // has the path
	}
	return fmt.Errorf("camlib: photo: %s: %w", path, err)
}

// open opens a picture that may be decoded.
func (o PhotoOptions) open(path string) (f *os.File, config image.Config, format string, err error) {
	if o.MaxPixels < 0 {
		return nil, config, "", fmt.Errorf("at most %d pixels, want 0 for 128 million, or more", o.MaxPixels)
	}
	info, err := os.Stat(path) // opening what is no file may wait forever
	if err != nil {
		return nil, config, "", err
	}
	if !info.Mode().IsRegular() {
		return nil, config, "", fmt.Errorf("%s, want a file with %s", kindOf(info.Mode()), photoFormats)
	}
	most := cmp.Or(o.MaxPixels, 128_000_000)
	if size := info.Size(); size/8-1<<20 > int64(most) { // more than its pixels and 8 MB of profiles and thumbnails
		return nil, config, "", tooLarge("a file of %d MB", size/1_000_000, most)
	}
	if f, err = os.Open(path); err != nil {
		return nil, config, "", err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if config, format, err = decodeConfig(f); err != nil {
		return nil, config, "", err
	}
	if config.Width < 1 || config.Height < 1 {
		return nil, config, "", fmt.Errorf("%d×%d pixels, want at least 1×1", config.Width, config.Height)
	}
	if float64(config.Width)*float64(config.Height) > float64(most) {
		return nil, config, "", tooLarge("%d×%d pixels", config.Width, config.Height, most)
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, config, format, err
}

// decode and decodeConfig are those of package image. A decoder's panic over a
// damaged file is an error of the file.
func decode(r io.Reader) (photo image.Image, err error) {
	defer undecodable(&err)
	photo, _, err = image.Decode(r)
	return photo, err
}

func decodeConfig(r io.Reader) (config image.Config, format string, err error) {
	defer undecodable(&err)
	return image.DecodeConfig(r)
}

// undecodable says what was wanted instead of what could not be decoded.
func undecodable(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
	switch {
	case *err == nil:
	case errors.Is(*err, image.ErrFormat):
		*err = fmt.Errorf("an unknown format, want %s", photoFormats)
	case errors.Is(*err, io.EOF), errors.Is(*err, io.ErrUnexpectedEOF):
		*err = fmt.Errorf("the file ends too early, want the whole of %s", photoFormats)
	default:
		*err = fmt.Errorf("%w, want %s", *err, photoFormats)
	}
}

func tooLarge(what string, values ...any) error {
	return fmt.Errorf("%w: "+what+", want at most %d pixels (PhotoOptions.MaxPixels, or --max-megapixels, allows more)", append([]any{ErrTooLarge}, values...)...)
}

func kindOf(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&os.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&os.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// IsPhoto reports whether a file's name ends as those of pictures that [ReadPhoto]
// reads do.
func IsPhoto(name string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}, strings.ToLower(filepath.Ext(name)))
}

// Square returns the largest centred square of a photo, of side×side pixels,
// resized by Catmull-Rom, which averages when it makes smaller: for the article's
// network a side of 32, which it was trained on. What is transparent is over white;
// [Over] puts another color there.
//
// A photo that is nil or empty, or a side below 1 or above 16,384, gives a picture
// without pixels, which [Model.Explain] refuses.
func Square(photo image.Image, side int) *image.NRGBA {
	if picture.Check(photo) != nil || side < 1 || side > 1<<14 {
		return &image.NRGBA{}
	}
	square := centered(photo.Bounds(), image.Pt(1, 1))
	out := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.CatmullRom.Scale(out, out.Bounds(), Over(photo, nil), square, draw.Src, nil)
	return out
}

// centered returns the largest centered part of r with the proportions of size.
func centered(r image.Rectangle, size image.Point) image.Rectangle {
	w, h := r.Dx(), r.Dy()
	if w*size.Y > h*size.X {
		w = max(1, (h*size.X+size.Y/2)/size.Y)
	} else {
		h = max(1, (w*size.Y+size.X/2)/size.X)
	}
	return image.Rect(0, 0, w, h).Add(r.Min).Add(image.Pt((r.Dx()-w)/2, (r.Dy()-h)/2))
}

// Over returns a picture over a background, which shows where the picture is
// transparent; nil is white. Opaque pixels keep all their bits, the others are
// rounded to 8.
func Over(photo image.Image, background color.Color) image.Image {
	if picture.Check(photo) != nil {
		return photo
	}
	return picture.Over(photo, photo.Bounds(), background)
}
