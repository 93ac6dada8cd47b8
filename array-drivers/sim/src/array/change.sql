-- What changed, in order; written by triggers, so that it is part of the very change it tells of. Only the newest are kept.
CREATE TABLE change (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, record INTEGER NOT NULL);

CREATE TRIGGER change_trimmed AFTER INSERT ON change BEGIN
    DELETE FROM change WHERE number <= NEW.number - 10000;
END;

CREATE TRIGGER volume_made AFTER INSERT ON volume BEGIN
    INSERT INTO change (kind, record) VALUES ('volume', NEW.id), ('pool', NEW.pool);
END;
CREATE TRIGGER volume_changed AFTER UPDATE OF name, ready, enabled ON volume BEGIN
    INSERT INTO change (kind, record) VALUES ('volume', NEW.id);
END;
CREATE TRIGGER volume_resized AFTER UPDATE OF blocks ON volume BEGIN
    INSERT INTO change (kind, record) VALUES ('volume', NEW.id), ('pool', NEW.pool);
END;
CREATE TRIGGER volume_deleted AFTER DELETE ON volume BEGIN
    INSERT INTO change (kind, record) VALUES ('volume', OLD.id), ('pool', OLD.pool);
END;

CREATE TRIGGER pool_made AFTER INSERT ON pool BEGIN
    INSERT INTO change (kind, record) VALUES ('pool', NEW.id);
END;
CREATE TRIGGER pool_deleted AFTER DELETE ON pool BEGIN
    INSERT INTO change (kind, record) VALUES ('pool', OLD.id);
END;

CREATE TRIGGER access_group_made AFTER INSERT ON access_group BEGIN
    INSERT INTO change (kind, record) VALUES ('access_group', NEW.id);
END;
CREATE TRIGGER access_group_deleted AFTER DELETE ON access_group BEGIN
    INSERT INTO change (kind, record) VALUES ('access_group', OLD.id);
END;
CREATE TRIGGER initiator_added AFTER INSERT ON initiator BEGIN
    INSERT INTO change (kind, record) VALUES ('access_group', NEW.access_group);
END;
CREATE TRIGGER initiator_removed AFTER DELETE ON initiator BEGIN
    INSERT INTO change (kind, record) VALUES ('access_group', OLD.access_group);
END;

CREATE TRIGGER mapping_made AFTER INSERT ON lun BEGIN
    INSERT INTO change (kind, record) VALUES ('mapping', NEW.volume);
END;
CREATE TRIGGER mapping_removed AFTER DELETE ON lun BEGIN
    INSERT INTO change (kind, record) VALUES ('mapping', OLD.volume);
END;
-- A mask and a map of the same volume may share a number: either may come or go without it.
CREATE TRIGGER mask_made AFTER INSERT ON mask BEGIN
    INSERT INTO change (kind, record) VALUES ('mapping', NEW.volume);
END;
CREATE TRIGGER mask_removed AFTER DELETE ON mask BEGIN
    INSERT INTO change (kind, record) VALUES ('mapping', OLD.volume);
END;
CREATE TRIGGER map_made AFTER INSERT ON map BEGIN
    INSERT INTO change (kind, record) VALUES ('mapping', NEW.volume);
END;
CREATE TRIGGER map_removed AFTER DELETE ON map BEGIN
    INSERT INTO change (kind, record) VALUES ('mapping', OLD.volume);
END;

CREATE TRIGGER fs_made AFTER INSERT ON fs BEGIN
    INSERT INTO change (kind, record) VALUES ('fs', NEW.id), ('pool', NEW.pool);
END;
CREATE TRIGGER fs_changed AFTER UPDATE OF ready ON fs BEGIN
    INSERT INTO change (kind, record) VALUES ('fs', NEW.id);
END;
CREATE TRIGGER fs_resized AFTER UPDATE OF bytes ON fs BEGIN
    INSERT INTO change (kind, record) VALUES ('fs', NEW.id), ('pool', NEW.pool);
END;
CREATE TRIGGER fs_deleted AFTER DELETE ON fs BEGIN
    INSERT INTO change (kind, record) VALUES ('fs', OLD.id), ('pool', OLD.pool);
END;

CREATE TRIGGER snapshot_made AFTER INSERT ON snapshot BEGIN
    INSERT INTO change (kind, record) VALUES ('snapshot', NEW.id);
END;
CREATE TRIGGER snapshot_changed AFTER UPDATE OF ready ON snapshot BEGIN
    INSERT INTO change (kind, record) VALUES ('snapshot', NEW.id);
END;
CREATE TRIGGER snapshot_deleted AFTER DELETE ON snapshot BEGIN
    INSERT INTO change (kind, record) VALUES ('snapshot', OLD.id);
END;

CREATE TRIGGER export_made AFTER INSERT ON export BEGIN
    INSERT INTO change (kind, record) VALUES ('export', NEW.id);
END;
CREATE TRIGGER export_changed AFTER UPDATE ON export BEGIN
    INSERT INTO change (kind, record) VALUES ('export', NEW.id);
END;
CREATE TRIGGER export_deleted AFTER DELETE ON export BEGIN
    INSERT INTO change (kind, record) VALUES ('export', OLD.id);
END;
CREATE TRIGGER export_host_added AFTER INSERT ON export_host BEGIN
    INSERT INTO change (kind, record) VALUES ('export', NEW.export);
END;
CREATE TRIGGER export_host_removed AFTER DELETE ON export_host BEGIN
    INSERT INTO change (kind, record) VALUES ('export', OLD.export);
END;
