//! Where the encoder computes: the processor, or a graphics card with the feature `gpu`.

use burn::tensor::Device;

/// The processor: the same bits on every run, which a graphics card does not promise.
#[cfg(not(feature = "gpu"))]
pub(super) fn device() -> Device {
    Device::flex()
}

/// The graphics card that the system prefers. Without one the first use panics with the drivers it looked for.
#[cfg(feature = "gpu")]
pub(super) fn device() -> Device {
    Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)
}
