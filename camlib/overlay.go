package camlib

import (
	"errors"
	"fmt"
	"image"
	"image/draw"

	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
)

// WriteNPY writes the raw maps to a NumPy file, as [cam.Result.WriteNPY] does.
func (m *Maps) WriteNPY(path string) error {
	if err := m.check(); err != nil {
		return err
	}
	return m.Result.WriteNPY(path)
}

// WritePNG writes [Maps.Picture] to a PNG file, with what it shows in words. The
// file appears whole or not at all.
func (m *Maps) WritePNG(path string) error {
	if err := m.check(); err != nil {
		return err
	}
	picture, err := m.Picture()
	if err != nil {
		return err
	}
	return figure.WritePNG(path, picture)
}

// Overlay draws map i over its image, at the image's own size and with the maps'
// Opacity, colored relative to the map's largest value. Maps are counted from 0;
// where each image has K of them, map i is one of image i/K.
func (m *Maps) Overlay(i int) (*figure.Picture, error) {
	if err := m.checkIndex(i); err != nil {
		return nil, err
	}
	return m.OverlayOn(i, m.Images[i/max(1, m.K)])
}

// OverlayOn is [Maps.Overlay] over the photo that the image was made of, at the
// photo's own size. The map covers the part of it that the network saw, which the maps'
// Preparation tells: the largest centered one with the image's proportions, for an image
// that [images.Square] made the square that it cut out. The rest of the photo stays as it
// is.
func (m *Maps) OverlayOn(i int, photo image.Image) (*figure.Picture, error) {
	if err := m.checkIndex(i); err != nil {
		return nil, err
	}
	photo, err := images.Flat(photo)
	if err != nil {
		return nil, fmt.Errorf("camlib: overlay: map %d: photo: %w", i, err)
	}
	raw := m.At(i)
	shading, err := Shading(m.method, raw)
	if err != nil {
		return nil, err
	}
	size := m.Images[i/max(1, m.K)].Bounds().Size()
	prepared := m.Preparation
	prepared.Width, prepared.Height = size.X, size.Y
	b := photo.Bounds()
	frame, err := prepared.Frame(b.Size())
	if err != nil {
		return nil, fmt.Errorf("camlib: overlay: map %d: photo: %w", i, err)
	}
	carried, seen, err := frame.Carry(raw, images.AlignCorners)
	if err != nil {
		return nil, fmt.Errorf("camlib: overlay: map %d: %w", i, err)
	}
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Rect, photo, b.Min, draw.Src)
	over, err := figure.Overlay(out.SubImage(seen), carried, shading, m.Opacity)
	if err != nil {
		return nil, err
	}
	draw.Draw(out, seen, over.NRGBA, image.Point{}, draw.Src)
	peak, err := figure.Peak(raw)
	if err != nil {
		return nil, err
	}
	return &figure.Picture{NRGBA: out, Alt: fmt.Sprintf("%s over the image: %s; %s", m.Method, m.says(i, ", "), peak)}, nil
}

func (m *Maps) check() error {
	if m == nil || m.Result == nil {
		return errors.New("camlib: maps: none, want those of Model.Explain")
	}
	if len(m.Images) != m.N {
		return fmt.Errorf("camlib: maps: %d images for the maps of %d, want as many", len(m.Images), m.N)
	}
	return nil
}

func (m *Maps) checkIndex(i int) error {
	if err := m.check(); err != nil {
		return err
	}
	if n := m.N * max(1, m.K); i < 0 || i >= n {
		return fmt.Errorf("camlib: overlay: map %d, want 0 to %d", i, n-1)
	}
	return nil
}
