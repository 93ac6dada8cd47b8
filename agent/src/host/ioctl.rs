//! The ioctls that no safe crate offers, each as a typed safe function. The only file of the workspace with `unsafe` in it.
//!
//! It refuses to decide anything: what a result means is the caller's business. Sources: the kernel's `linux/loop.h`,
//! `linux/fs.h`, `linux/btrfs.h`, `scsi/sg.h`, `linux/nvme_ioctl.h`, `fs/ext4/ext4.h` and `fs/xfs/libxfs/xfs_fs.h`.
#![allow(unsafe_code)]

use std::{
    ffi::c_void,
    io,
    os::fd::{AsFd, AsRawFd},
};

use rustix::{
    fs::Dev,
    io::Errno,
    ioctl::{Getter, Ioctl, IoctlOutput, NoArg, Opcode, Setter, Updater, ioctl, opcode},
};

const LOOP_CLR_FD: Opcode = 0x4c01;
const LOOP_GET_STATUS64: Opcode = 0x4c05;
const LOOP_SET_CAPACITY: Opcode = 0x4c07;
const LOOP_CONFIGURE: Opcode = 0x4c0a;
const LOOP_CTL_GET_FREE: Opcode = 0x4c82;
const BLKFLSBUF: Opcode = opcode::none(0x12, 97);
const BLKGETSIZE64: Opcode = opcode::read::<usize>(0x12, 114);
const BLKGETDISKSEQ: Opcode = opcode::read::<u64>(0x12, 128);
const FIFREEZE: Opcode = opcode::read_write::<i32>(b'X', 119);
const FITHAW: Opcode = opcode::read_write::<i32>(b'X', 120);
const BTRFS_IOC_FS_INFO: Opcode = opcode::read::<BtrfsFsInfo>(0x94, 31);
const BTRFS_IOC_RESIZE: Opcode = opcode::write::<BtrfsVolume>(0x94, 3);
const EXT4_IOC_RESIZE_FS: Opcode = opcode::write::<u64>(b'f', 16);
const XFS_IOC_FSGEOMETRY_V4: Opcode = opcode::read::<XfsGeometry>(b'X', 124);
const XFS_IOC_FSGROWFSDATA: Opcode = opcode::write::<XfsGrowth>(b'X', 110);
const SG_IO: Opcode = 0x2285;
const NVME_IOCTL_ID: Opcode = opcode::none(b'N', 0x40);
const NVME_IOCTL_ADMIN_CMD: Opcode = opcode::read_write::<NvmeCommand>(b'N', 0x41);

/// How long one INQUIRY or identify may take before the kernel aborts it, in milliseconds.
const DEVICE_TIMEOUT_MS: u32 = 5_000;

/// An ioctl whose answer is its return value.
struct Returning<const OPCODE: Opcode>;

// SAFETY: the opcodes used below take no argument and touch no memory of ours; the answer is the return value alone.
unsafe impl<const OPCODE: Opcode> Ioctl for Returning<OPCODE> {
    type Output = i32;
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        OPCODE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> rustix::io::Result<i32> {
        Ok(output)
    }
}

/// The number of a loop device that is free now. Another process may take it before we do.
pub fn loop_free_number(control: impl AsFd) -> Result<u32, Errno> {
    // SAFETY: LOOP_CTL_GET_FREE takes no argument and returns a number.
    let number = unsafe { ioctl(control, Returning::<LOOP_CTL_GET_FREE>) }?;
    u32::try_from(number).map_err(|_| Errno::INVAL)
}

/// `struct loop_info64`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

const LOOP_PARTSCAN: u32 = 8;
const LOOP_DIRECT_IO: u32 = 16;

/// What a bound loop device is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopBacking {
    /// Device and inode number of the file, as `fstat` gives them.
    pub device: Dev,
    pub inode: u64,
    /// Where in the file the device begins, and how much of it there is (0: all).
    pub offset: u64,
    pub size_limit: u64,
}

/// Binds a free loop device, opened for writing, to the whole of `file`. The kernel looks for partitions, as on any disk.
pub fn loop_configure(device: impl AsFd, file: impl AsFd, direct_io: bool) -> Result<(), Errno> {
    let fd = u32::try_from(file.as_fd().as_raw_fd()).map_err(|_| Errno::BADF)?;
    let flags = LOOP_PARTSCAN | if direct_io { LOOP_DIRECT_IO } else { 0 };
    let info = LoopInfo { flags, ..LoopInfo::zeroed() };
    let mut config = LoopConfig { fd, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: LOOP_CONFIGURE reads a `struct loop_config`, which `LoopConfig` lays out; `file` is open during the call.
    unsafe { ioctl(device, Updater::<LOOP_CONFIGURE, LoopConfig>::new(&mut config)) }
}

/// What the loop device is bound to; `ENXIO` when it is not bound.
pub fn loop_status(device: impl AsFd) -> Result<LoopBacking, Errno> {
    let mut info = LoopInfo::zeroed();
    // SAFETY: LOOP_GET_STATUS64 fills a `struct loop_info64`, which `LoopInfo` lays out; every bit pattern is valid in it.
    unsafe { ioctl(device, Updater::<LOOP_GET_STATUS64, LoopInfo>::new(&mut info)) }?;
    Ok(LoopBacking {
        device: info.device,
        inode: info.inode,
        offset: info.offset,
        size_limit: info.size_limit,
    })
}

/// Asks the kernel to unbind the loop device. It does so when the last one has closed it, which may be later.
pub fn loop_clear(device: impl AsFd) -> Result<(), Errno> {
    // SAFETY: LOOP_CLR_FD takes no argument.
    unsafe { ioctl(device, NoArg::<LOOP_CLR_FD>::new()) }
}

/// Makes the loop device as large as its file is now.
pub fn loop_set_capacity(device: impl AsFd) -> Result<(), Errno> {
    // SAFETY: LOOP_SET_CAPACITY takes no argument.
    unsafe { ioctl(device, NoArg::<LOOP_SET_CAPACITY>::new()) }
}

impl LoopInfo {
    const fn zeroed() -> Self {
        Self {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset: 0,
            size_limit: 0,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: 0,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        }
    }
}

/// Writes back and forgets what the page cache holds of a block device.
pub fn block_flush(device: impl AsFd) -> Result<(), Errno> {
    // SAFETY: BLKFLSBUF takes no argument.
    unsafe { ioctl(device, NoArg::<BLKFLSBUF>::new()) }
}

/// Size of a block device in bytes.
pub fn block_size_bytes(device: impl AsFd) -> Result<u64, Errno> {
    // SAFETY: BLKGETSIZE64 writes one u64.
    unsafe { ioctl(device, Getter::<BLKGETSIZE64, u64>::new()) }
}

/// The kernel's sequence number of the disk behind the descriptor (since 5.15): a name used again has another one.
pub fn block_disk_sequence(device: impl AsFd) -> Result<u64, Errno> {
    // SAFETY: BLKGETDISKSEQ writes one u64.
    unsafe { ioctl(device, Getter::<BLKGETDISKSEQ, u64>::new()) }
}

/// Freezes the file system: returns when all is written and new writers wait. `EBUSY` when it is frozen already.
pub fn freeze(mount_point: impl AsFd) -> Result<(), Errno> {
    // SAFETY: FIFREEZE ignores its argument.
    unsafe { ioctl(mount_point, NoArg::<FIFREEZE>::new()) }
}

/// Thaws the file system. `EINVAL` when it is not frozen.
pub fn thaw(mount_point: impl AsFd) -> Result<(), Errno> {
    // SAFETY: FITHAW ignores its argument.
    unsafe { ioctl(mount_point, NoArg::<FITHAW>::new()) }
}

/// `struct btrfs_ioctl_fs_info_args`, in the parts that matter.
#[repr(C)]
#[derive(Clone, Copy)]
struct BtrfsFsInfo {
    max_id: u64,
    num_devices: u64,
    fsid: [u8; 16],
    rest: [u8; 992],
}

/// The id and the number of devices of a mounted btrfs.
pub fn btrfs_id(mount_point: impl AsFd) -> Result<([u8; 16], u64), Errno> {
    // SAFETY: BTRFS_IOC_FS_INFO writes 1,024 bytes; every bit pattern is valid in `BtrfsFsInfo`.
    let info = unsafe { ioctl(mount_point, Getter::<BTRFS_IOC_FS_INFO, BtrfsFsInfo>::new()) }?;
    Ok((info.fsid, info.num_devices))
}

/// `struct btrfs_ioctl_vol_args`.
#[repr(C)]
struct BtrfsVolume {
    fd: i64,
    name: [u8; 4088],
}

/// Grows the first device of a mounted btrfs to all of its size.
pub fn btrfs_resize_to_max(mount_point: impl AsFd) -> Result<(), Errno> {
    let mut name = [0; 4088];
    if let Some(start) = name.first_chunk_mut() {
        *start = *b"max";
    }
    let volume = BtrfsVolume { fd: 0, name };
    // SAFETY: BTRFS_IOC_RESIZE reads a `struct btrfs_ioctl_vol_args`, which `BtrfsVolume` lays out; its name ends in NULs.
    unsafe { ioctl(mount_point, Setter::<BTRFS_IOC_RESIZE, BtrfsVolume>::new(volume)) }
}

/// Grows a mounted ext4 to so many of its blocks; fine when it has so many.
pub fn ext4_resize(mount_point: impl AsFd, blocks: u64) -> Result<(), Errno> {
    // SAFETY: EXT4_IOC_RESIZE_FS reads one u64.
    unsafe { ioctl(mount_point, Setter::<EXT4_IOC_RESIZE_FS, u64>::new(blocks)) }
}

/// `struct xfs_fsop_geom_v4`, in the parts that matter.
#[repr(C)]
#[derive(Clone, Copy)]
struct XfsGeometry {
    block_bytes: u32,
    front: [u32; 6],
    max_inode_percent: u32,
    data_blocks: u64,
    rest: [u64; 9],
}

/// `struct xfs_growfs_data`.
#[repr(C)]
struct XfsGrowth {
    data_blocks: u64,
    max_inode_percent: u32,
}

/// How large a mounted XFS is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XfsSize {
    pub block_bytes: u32,
    pub data_blocks: u64,
    /// How much of it inodes may take; growing it asks for this again.
    pub max_inode_percent: u32,
}

pub fn xfs_geometry(mount_point: impl AsFd) -> Result<XfsSize, Errno> {
    // SAFETY: XFS_IOC_FSGEOMETRY_V4 writes 112 bytes; every bit pattern is valid in `XfsGeometry`.
    let found = unsafe { ioctl(mount_point, Getter::<XFS_IOC_FSGEOMETRY_V4, XfsGeometry>::new()) }?;
    let XfsGeometry { block_bytes, data_blocks, max_inode_percent, .. } = found;
    Ok(XfsSize { block_bytes, data_blocks, max_inode_percent })
}

/// Grows a mounted XFS to so many of its blocks.
pub fn xfs_grow(mount_point: impl AsFd, data_blocks: u64, max_inode_percent: u32) -> Result<(), Errno> {
    let growth = XfsGrowth { data_blocks, max_inode_percent };
    // SAFETY: XFS_IOC_FSGROWFSDATA reads a `struct xfs_growfs_data`, which `XfsGrowth` lays out.
    unsafe { ioctl(mount_point, Setter::<XFS_IOC_FSGROWFSDATA, XfsGrowth>::new(growth)) }
}

/// `struct sg_io_hdr`.
#[repr(C)]
struct SgHeader {
    interface_id: i32,
    direction: i32,
    command_length: u8,
    max_sense_length: u8,
    iovec_count: u16,
    transfer_length: u32,
    transfer: *mut c_void,
    command: *mut u8,
    sense: *mut u8,
    timeout_ms: u32,
    flags: u32,
    pack_id: i32,
    user: *mut c_void,
    status: u8,
    masked_status: u8,
    message_status: u8,
    sense_length: u8,
    host_status: u16,
    driver_status: u16,
    residual: i32,
    duration: u32,
    info: u32,
}

const SG_FROM_DEVICE: i32 = -3;
const INQUIRY: u8 = 0x12;

/// A SCSI command that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScsiError {
    #[error(transparent)]
    Os(#[from] Errno),
    /// `scsi/sg.h` has the meaning of the three numbers, SPC-5 §4.4 that of the sense data.
    #[error("INQUIRY failed: status {status:#x}, host {host:#x}, driver {driver:#x}")]
    Failed { status: u8, host: u16, driver: u16, sense: Vec<u8> },
}

/// One vital product data page, by INQUIRY to the device itself (SPC-5 §6.7). What the device did not send is cut off.
pub fn scsi_inquiry_page(device: impl AsFd, page: u8) -> Result<Vec<u8>, ScsiError> {
    const LENGTH: u16 = 4096;
    let [high, low] = LENGTH.to_be_bytes();
    let mut command = [INQUIRY, 1, page, high, low, 0];
    let mut sense = [0u8; 64];
    let mut data = vec![0u8; usize::from(LENGTH)];
    let mut header = SgHeader {
        interface_id: i32::from(b'S'),
        direction: SG_FROM_DEVICE,
        command_length: 6,
        max_sense_length: 64,
        iovec_count: 0,
        transfer_length: u32::from(LENGTH),
        transfer: data.as_mut_ptr().cast(),
        command: command.as_mut_ptr(),
        sense: sense.as_mut_ptr(),
        timeout_ms: DEVICE_TIMEOUT_MS,
        flags: 0,
        pack_id: 0,
        user: std::ptr::null_mut(),
        status: 0,
        masked_status: 0,
        message_status: 0,
        sense_length: 0,
        host_status: 0,
        driver_status: 0,
        residual: 0,
        duration: 0,
        info: 0,
    };
    // SAFETY: SG_IO reads and updates a `struct sg_io_hdr`, which `SgHeader` lays out; its three pointers are to buffers of
    // the lengths beside them, which live until after the call.
    unsafe { ioctl(device, Updater::<SG_IO, SgHeader>::new(&mut header)) }?;
    if header.status != 0 || header.host_status != 0 || header.driver_status & 0xf != 0 {
        let SgHeader { status, host_status: host, driver_status: driver, sense_length, .. } = header;
        let sense = sense.get(..usize::from(sense_length)).unwrap_or(&sense).to_vec();
        return Err(ScsiError::Failed { status, host, driver, sense });
    }
    let missing = usize::try_from(header.residual).unwrap_or(0);
    data.truncate(data.len().saturating_sub(missing));
    Ok(data)
}

/// `struct nvme_passthru_cmd`.
#[repr(C)]
struct NvmeCommand {
    opcode: u8,
    flags: u8,
    reserved: u16,
    namespace: u32,
    dword2: u32,
    dword3: u32,
    metadata: u64,
    address: u64,
    metadata_length: u32,
    data_length: u32,
    dword10: u32,
    dwords11_to_15: [u32; 5],
    timeout_ms: u32,
    result: u32,
}

const NVME_IDENTIFY: u8 = 6;

/// What identify returns: one memory page (NVMe base 2.0 §5.17).
pub const NVME_IDENTIFY_BYTES: usize = 4096;

/// Which data structure identify shall return (CNS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NvmeStructure {
    Namespace = 0,
    NamespaceIds = 3,
}

/// Sends identify for the namespace behind the descriptor.
pub fn nvme_identify(device: impl AsFd, structure: NvmeStructure) -> io::Result<Vec<u8>> {
    let device = device.as_fd();
    // SAFETY: NVME_IOCTL_ID takes no argument and returns the namespace's number.
    let namespace = unsafe { ioctl(device, Returning::<NVME_IOCTL_ID>) }?;
    let mut data = vec![0u8; NVME_IDENTIFY_BYTES];
    let mut command = NvmeCommand {
        opcode: NVME_IDENTIFY,
        flags: 0,
        reserved: 0,
        namespace: namespace.cast_unsigned(),
        dword2: 0,
        dword3: 0,
        metadata: 0,
        address: data.as_mut_ptr().expose_provenance() as u64,
        metadata_length: 0,
        data_length: 4096,
        dword10: structure as u32,
        dwords11_to_15: [0; 5],
        timeout_ms: DEVICE_TIMEOUT_MS,
        result: 0,
    };
    // SAFETY: NVME_IOCTL_ADMIN_CMD reads and updates a `struct nvme_passthru_cmd`, which `NvmeCommand` lays out; `address` is
    // that of a buffer of `data_length` bytes, which lives until after the call.
    unsafe { ioctl(device, Updater::<NVME_IOCTL_ADMIN_CMD, NvmeCommand>::new(&mut command)) }?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;

    #[test]
    fn the_structures_have_the_sizes_that_the_kernel_gives_them() {
        assert_eq!(size_of::<LoopInfo>(), 232);
        assert_eq!(size_of::<LoopConfig>(), 304);
        assert_eq!(size_of::<SgHeader>(), 88);
        assert_eq!(size_of::<NvmeCommand>(), 72);
        assert_eq!(size_of::<BtrfsFsInfo>(), 1024);
        assert_eq!(size_of::<BtrfsVolume>(), 4096);
        assert_eq!(size_of::<XfsGeometry>(), 112);
        assert_eq!(size_of::<XfsGrowth>(), 16);
    }

    #[test]
    fn a_file_that_is_no_device_is_refused_by_each() {
        let file = tempfile::tempfile().unwrap();
        assert!(loop_status(&file).is_err());
        assert!(block_size_bytes(&file).is_err());
        assert!(scsi_inquiry_page(&file, 0x83).is_err());
        assert!(nvme_identify(&file, NvmeStructure::NamespaceIds).is_err());
        assert!(btrfs_id(&file).is_err());
        assert!(loop_set_capacity(&file).is_err());
    }
}
