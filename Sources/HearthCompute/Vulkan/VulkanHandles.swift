import CVulkan

// Plain handles: copying one to another thread is safe, and who may use it when is its owner's business
// (VulkanDevice's mutex for recordings and pipelines, DeviceBuffer's single ownership for buffers).
extension cvk_recording: @retroactive @unchecked Sendable {}
extension cvk_buffer: @retroactive @unchecked Sendable {}
extension cvk_pipeline: @retroactive @unchecked Sendable {}
