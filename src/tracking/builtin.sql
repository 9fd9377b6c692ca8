-- The extension's own tables are tracked by the same call that users make.
SELECT audiostore.track('audiostore.audio_uploads', 'storage_path', store_column => 'store', size_column => 'file_size',
                        live_when => $$status <> 'deleted'$$, checksum_column => 'checksum_sha256');
SELECT audiostore.track('audiostore.audio_chunks', 'chunk_path', store_column => 'store', size_column => 'chunk_size');
SELECT audiostore.track('audiostore.assets', 'storage_path', store_column => 'store', size_column => 'size',
                        live_when => $$state NOT IN ('uploading', 'deleted')$$);
SELECT audiostore.track('audiostore.audio_chunk_archives', 'storage_path', store_column => 'store', size_column => 'size');
SELECT audiostore.track('audiostore.temporary_objects', 'key', store_column => 'store',
                        live_when => $$state IN ('leased', 'promoting', 'failed')$$);
