// Package cam makes class activation maps: which places of an image speak for
// a class, and which against it.
//
// A [Method] is a value, such as [GradCAM] or RISE{Masks: 64}. Each is one equation, on
// GoMLX nodes, its method Equation where it is one of a layer's activations; they panic on
// wrong shapes, as GoMLX's own do. An [Explainer] runs a Method on images and returns its
// raw [Result]: values in the method's own unit, signed where the method is signed, at
// the resolution of the activations. It returns errors that match one of the
// sentinels ([ErrShape] and its neighbors) under [errors.Is], never panics, and
// never lets a NaN out.
//
// A method of one's own is a type with a method Spec, whose Map is written with what a
// [Pass] has; [Register] makes its name known to [Lookup] and [Methods].
//
// Methods that change images keep their numbers whatever the values mean: black is 0
// (RISE, Score-CAM and its kin, IntegratedGradients), gray 0.5 (Occlusion), and noise is
// meant for values from 0 to 1 (SmoothGrad, Smoothed). For those of a batch that is Raw,
// see [images.Batch].
//
// Letters, in code and equations: A or act, the activations; g or grad, the
// gradient of a score with respect to them; y or score, the network's output
// before softmax; w and b, the head's weights and biases; m, a map;
// Z = height·width of the activations. Shapes are [batch, height, width,
// channels] for images and activations, [batch, height, width] for maps and
// [batch, classes, height, width] for maps of all classes.
package cam
