mod peers;
mod special;
